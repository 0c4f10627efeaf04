"""Broken and hostile versions of files and command lines."""

from __future__ import annotations

import io
import json
import math
import pickle
import random
import struct
import zipfile
from pathlib import Path

import yaml

NUMBERS = [
    "0",
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e30",
    "1e-30",
    "10000000",
    str(2**70),
    "x",
]
VALUES = [
    *(None, True, "x", "../../x", "", -1, 0, 1, 7, 0.5, 10**5, 10**9, 2**70, -(2**63)),
    *(math.nan, math.inf, [], {}, [[1]], {"a": {}}, "/etc/passwd"),
]
NAMES = [
    "../escaped",
    "/tmp/escaped-uniwav",
    "..",
    ".",
    "a/b",
    "a\0b",
    "a\tb",
    "x" * 300,
]
LINES = ["", "\ufeff", "\u2028", "\x85", "\r", "\0", " ", "\t", "utt0 \n", "a b c\n"]


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def mutate(path: Path, rng: random.Random, canary: Path) -> None:
    """Break a file in a way that fits its kind, or any way."""
    kinds = {
        ".yaml": [change_yaml, change_yaml, execute_yaml],
        ".safetensors": [change_header, change_tensors, change_tensors],
        ".wav": [change_wav, change_wav, float_wav],
        ".flac": [change_bytes],
        ".pth": [change_pickle],
        ".npz": [change_zip],
        ".json": [change_yaml],
    }.get(path.suffix, [change_lines, change_lines, change_names])
    content = path.read_bytes()
    change = rng.choice([*kinds, change_bytes])
    if change in (execute_yaml, change_pickle):
        content = change(content, rng, canary)
    else:
        content = change(content, rng)
    path.write_bytes(content)


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    """Cut off, empty, repeated, or with other bytes; often at the start."""
    kind = rng.randrange(5)
    if kind == 0:
        return content[: rng.randrange(len(content) + 1)]
    if kind == 1:
        return rng.choice([b"", bytes(99), b"PK\3\4", b"RIFF", b"\x80\x04."])
    if kind == 2:
        return content + content[: rng.randrange(len(content) + 1)]
    content = bytearray(content or b"x")
    for _ in range(rng.choice([1, 3, 30])):
        place = rng.randrange(min(len(content), rng.choice([64, 1024, 10**9])))
        content[place] = rng.choice([0, 255, 127, 10, 45, rng.randrange(256)])
    return bytes(content)


def change_yaml(content: bytes, rng: random.Random) -> bytes:
    """One value anywhere is another one, is gone, or has another key."""
    root = yaml.safe_load(content)
    places = list(_places(root))
    parent, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[rng.choice(["x", 1, None])] = parent.pop(key)
    else:
        parent[key] = rng.choice(VALUES)
    return yaml.safe_dump(root, sort_keys=False).encode()


def execute_yaml(content: bytes, rng: random.Random, canary: Path) -> bytes:
    """A tag of Python's that makes a file."""
    tag = rng.choice(["object/apply:pathlib.Path.touch", "name:os.system"])
    return content + f"\nextra: !!python/{tag} ['{canary}']\n".encode()


def change_pickle(content: bytes, rng: random.Random, canary: Path) -> bytes:
    """A canary before, or instead of, the weights."""
    song = pickle.dumps({"a": Canary(canary)}, protocol=rng.choice([2, 4]))
    if rng.random() < 0.3:
        return song
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(packed, "w") as new,
    ):
        for name in old.namelist():
            data = song if name.endswith("data.pkl") else old.read(name)
            new.writestr(name, data)
    return packed.getvalue()


def change_zip(content: bytes, rng: random.Random) -> bytes:
    """An array of another kind, or a pickle, in an archive of NumPy."""
    import numpy as np

    arrays = [
        np.array([{"a": 1}], dtype=object),
        np.full((2, 5), rng.choice([-1, 8, 10**6])),
        np.zeros((0, 0)),
        np.full((2, 3), np.nan),
        np.array("x"),
    ]
    packed = io.BytesIO()
    np.savez(packed, **{rng.choice(["codes", "x"]): rng.choice(arrays)})
    return packed.getvalue()


def change_header(content: bytes, rng: random.Random) -> bytes:
    """The JSON header of the tensors: types, shapes, offsets, or its length."""
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    if rng.random() < 0.2:
        size = rng.choice([0, 7, 2**31, 2**63, 2**64 - 1, len(content)])
        return struct.pack("<Q", size) + content[8:]
    name = rng.choice([name for name in header if name != "__metadata__"])
    kind = rng.randrange(4)
    if kind == 0:
        header[name]["dtype"] = rng.choice(["I8", "F16", "BF16", "F64", "BOOL", "X"])
    elif kind == 1:
        header[name]["shape"] = rng.choice([[], [0], [-1], [2**40, 2**40], "x", [1]])
    elif kind == 2:
        header[name]["data_offsets"] = [rng.choice([0, 2**40]), rng.choice([0, 9])]
    else:
        header[rng.choice(["x", "../x", ""])] = header.pop(name)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def change_tensors(content: bytes, rng: random.Random) -> bytes:
    """NaN, infinite or huge weights, or some of another type or shape."""
    import torch
    from safetensors.torch import load, save

    tensors = load(content)
    name = rng.choice(sorted(tensors))
    old = tensors[name]
    tensors[name] = rng.choice(
        [
            torch.full(old.shape, rng.choice([math.nan, math.inf])),
            torch.full(old.shape, 1e30),
            torch.ones(old.shape, dtype=torch.int8),
            torch.ones((*old.shape, 2)),
        ]
    )
    return save(tensors)


def change_wav(content: bytes, rng: random.Random) -> bytes:
    """Another number in one field of the header."""
    place, form = rng.choice([(4, "I"), (16, "I"), (20, "H"), (22, "H"), (24, "I")])
    if rng.random() < 0.5:
        place, form = rng.choice([(32, "H"), (34, "H"), (40, "I")])
    value = rng.choice([0, 1, 2, 3, 999, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1])
    content = bytearray(content)
    struct.pack_into(
        f"<{form}", content, place, value % 2 ** (32 if form == "I" else 16)
    )
    return bytes(content)


def float_wav(content: bytes, rng: random.Random) -> bytes:
    """Samples that no microphone records, in one channel or more."""
    import soundfile

    value = rng.choice([math.nan, math.inf, 1e38, 3e38, 0.0, 1e-40])
    samples = [[value] * rng.choice([1, 2, 8])] * rng.choice([1, 100, 9600])
    packed = io.BytesIO()
    soundfile.write(packed, samples, 16000, format="WAV", subtype="FLOAT")
    return packed.getvalue()


def change_lines(content: bytes, rng: random.Random) -> bytes:
    """A line twice, gone, or with something odd in it; or no line at all."""
    lines = content.decode().splitlines(keepends=True)
    place = rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        lines.insert(place, lines[place])
    elif kind == 1:
        lines = lines[:place]
    elif kind == 2:
        cells = lines[place].split("\t" if "\t" in lines[place] else " ")
        cells[rng.randrange(len(cells))] = rng.choice([*NUMBERS, "", "|", "x |"])
        lines[place] = " ".join(cells)
    else:
        cut = rng.randrange(len(lines[place]) + 1)
        lines[place] = lines[place][:cut] + rng.choice(LINES) + lines[place][cut:]
    return "".join(lines).encode()


def change_names(content: bytes, rng: random.Random) -> bytes:
    """The first word of a line leads out of the folder."""
    lines = content.decode().splitlines(keepends=True)
    place = rng.choice([i for i, line in enumerate(lines) if line.split()])
    first = lines[place].split()[0]
    lines[place] = lines[place].replace(first, rng.choice(NAMES), 1)
    return "".join(lines).encode()


def change_words(words: list[str], rng: random.Random) -> list[str]:
    """Another value of an option, mostly of one that takes a number."""
    places = [i for i, word in enumerate(words) if not word.startswith("--")]
    numbers = [i for i in places if words[i].replace(".", "").isdigit()]
    place = rng.choice(numbers if numbers and rng.random() < 0.8 else places)
    words = list(words)
    words[place] = rng.choice([*NUMBERS, "", "cuda:99", "meta", "a\0b", "x" * 300])
    return words


def _places(node):
    """(parent, key) of every value below a node."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(pairs):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)
