"""A lexicon of one's own: its formats, and that it comes first."""

from __future__ import annotations

import socket

import pytest
from factories import command

from espnet_uniwav.apps.phones.lexicon_file import read_lexicon

CMUDICT = """;;; comment
HELLO  B AA1
HELLO(2)  B AA0
Zyxgorp z ih1 k # from nowhere
D\u2019ARC\tD AA R K
k8s K EY1 T S
SQL S IY K W AH L
"""
MFA = "cat\t0.99\t0.15\t1.0\t1.0\tK AE1 T\ncat\tB AA\n<unk>\tspn\nsir 1 S ER1\n"


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "own.dict"
    path.write_text(CMUDICT, encoding="utf-8")
    return path


def test_formats(lexicon, tmp_path):
    words = read_lexicon(lexicon)
    assert words["hello"] == ["B", "AA"] and words["zyxgorp"] == ["Z", "IH", "K"]
    assert words["d'arc"] == ["D", "AA", "R", "K"] and len(words) == 5
    (tmp_path / "mfa.dict").write_text(MFA)
    words = read_lexicon(tmp_path / "mfa.dict")
    assert words == {"cat": ["K", "AE", "T"], "sir": ["S", "ER"]}


@pytest.mark.parametrize(
    "content, offence",
    [
        ("a B\nread R XX D\n", "own.dict, line 2: 'XX'"),
        ("\nread\n", "own.dict, line 2: .*'read'"),
        ("read 0.5\n", "own.dict, line 1: .*'read 0.5'"),
        (";;; nothing\n", "own.dict: .*found none"),
        (b"a B\n\xe9 B\n", "own.dict, line 2"),
    ],
)
def test_a_broken_line_is_named(tmp_path, content, offence):
    path = tmp_path / "own.dict"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=offence):
        read_lexicon(path)
    for name, *options in (
        ["tts", "--text", "a", "--output", f"{tmp_path}/a.wav"],
        ["edit", "a.wav", "b.wav", "--text", "a", "--replace", "a", "--by", "b"],
    ):
        with pytest.raises(SystemExit, match=offence):
            command(name)([*options, "--lexicon", str(path)])


@pytest.mark.parametrize("name, needed", [("serve", "starlette"), ("demo", "gradio")])
def test_a_server_names_a_broken_line(tmp_path, name, needed):
    pytest.importorskip(needed)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    path = tmp_path / "own.dict"
    path.write_text("read\n")
    with pytest.raises(SystemExit, match="own.dict, line 1: .*'read'"):
        command(name)(["--port", port, "--lexicon", str(path)])


def test_it_comes_before_the_dictionary(lexicon):
    pytest.importorskip("pocketsphinx")
    from espnet_uniwav.apps.phones.from_text import Phonemizer

    phonemize = Phonemizer(read_lexicon(lexicon))
    read = phonemize("Hello, Zyxgorp's SQL-based K8s; {SH}; hello there")
    assert " ".join(read) == (
        "SIL B AA_E SIL Z IH K S_E S IY K W AH L B EY S T_E K EY T S_E SIL SH_E SIL "
        "B AA_E DH EH R_E SIL"
    )
    assert Phonemizer({"use": ["B"]})("I use it")[2:3] == ["B_E"]


def test_the_aligner_learns_its_words(lexicon):
    pytest.importorskip("pocketsphinx")
    from espnet_uniwav.apps.phones.pocketsphinx_aligner import PocketSphinxAligner

    aligner = PocketSphinxAligner(lexicon=read_lexicon(lexicon))
    for word in ("zyxgorp's", "{x|b_aa}", "hello"):
        aligner._learn(word)
    assert aligner.lookup("zyxgorp's") == ["Z", "IH", "K", "S"]
    assert aligner.lookup("{x|b_aa}") == ["B", "AA"]
    assert aligner.lookup("hello") == "HH AH L OW".split()
