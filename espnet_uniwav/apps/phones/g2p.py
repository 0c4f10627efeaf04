"""Spelling to phones by the network of the package g2p_en (Park 2019), used offline.

Only its weights are read: the import of the package takes seconds and asks for data
that only its tagger needs.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.lexicon import ARPABET, strip_stress

PACKAGE, WEIGHTS = "g2p_en", "checkpoint20.npz"
LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
START, END, LONGEST = 2, 3, 20
VOWELS = set("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
# Outputs of the network; UW has no stress, too.
PHONES = ["<pad>", "<unk>", "<s>", "</s>"]
for _phone in sorted(ARPABET):
    PHONES += [_phone] if _phone not in VOWELS or _phone == "UW" else []
    PHONES += [f"{_phone}{stress}" for stress in "012"] if _phone in VOWELS else []


def spell(word: str) -> list[str]:
    """Guess the phones (ARPAbet, no stress) of a lower-case word of letters."""
    weights = _weights()
    numbers = [
        LETTERS.index(own) if own in LETTERS else LETTERS.index("<unk>") for own in word
    ]
    h = np.zeros((1, weights["enc_w_hh"].shape[1]), np.float32)
    for number in [*numbers, LETTERS.index("</s>")]:
        h = _step(weights, "enc", number, h)
    phone, found = START, []
    while len(found) < LONGEST:
        h = _step(weights, "dec", phone, h)
        phone = (np.matmul(h, weights["fc_w"].T) + weights["fc_b"]).argmax()
        if phone == END:
            break
        found.append(strip_stress(PHONES[phone]))
    return found


def _step(weights: dict, part: str, number: int, h: np.ndarray) -> np.ndarray:
    """One step of a GRU: number of a letter or phone, state (1, D) to state."""
    x = weights[f"{part}_emb"][number][None]
    of_x = np.matmul(x, weights[f"{part}_w_ih"].T) + weights[f"{part}_b_ih"]
    of_h = np.matmul(h, weights[f"{part}_w_hh"].T) + weights[f"{part}_b_hh"]
    (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(of_x, 3, 1), np.split(of_h, 3, 1)
    r, z = (1 / (1 + np.exp(-value)) for value in (r_x + r_h, z_x + z_h))
    n = np.tanh(n_x + r * n_h)
    return (1 - z) * n + z * h


@functools.lru_cache(maxsize=None)
def _weights() -> dict[str, np.ndarray]:
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise ImportError(
            "unknown words need the package g2p_en: pip install espnet-g2p-en"
        )
    with np.load(Path(found.origin).with_name(WEIGHTS)) as file:
        return dict(file)
