"""Alignments from CTC posteriors that are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.lab.align.ctc import (
    CTCAligner,
    align_tokens,
    are_phones,
    extend_tokens,
    join_words,
    word_of,
)

CHARACTERS = ["<blank>", "<unk>", "<space>", "A", "B", "'", "<sos/eos>"]
PHONES = ["<blank>", "<unk>", "AH0", "AH1", "B", "SIL", "<sos/eos>"]


def posteriors(path, num_tokens=7, certainty=0.6):
    """(T, V) log posteriors whose best path is ``path``, without much certainty."""
    p = torch.full((len(path), num_tokens), (1 - certainty) / (num_tokens - 1))
    p[torch.arange(len(path)), torch.tensor(path)] = certainty
    return p.log()


def make_recogniser(path, tokens=CHARACTERS, split=None, whole_words=False):
    """A fake recogniser whose best path is ``path``, one frame each 40 ms."""
    return SimpleNamespace(
        tokens=tokens,
        blank=0,
        sample_rate=16000,
        whole_words=whole_words,
        tokenize=split or (lambda text: [c if c != " " else "<space>" for c in text]),
        log_probs=lambda speech: posteriors(path, len(tokens)),
    )


def align(tmp_path, recogniser, text, num_frames):
    path = tmp_path / "u.wav"
    soundfile.write(path, np.zeros(640 * num_frames), 16000)
    aligner = CTCAligner(recogniser)
    return aligner, aligner(SimpleNamespace(name="u", path=path, text=text))


def test_tokens_are_found_where_they_are():
    path = [0, 3, 3, 0, 3, 4, 4, 4, 0, 0, 5]
    starts, ends = align_tokens(posteriors(path), [3, 3, 4, 5])
    assert starts.tolist() == [1, 4, 5, 10]
    assert ends.tolist() == [3, 5, 8, 11]


def test_the_best_of_all_paths():
    log_probs = torch.randn(6, 4).log_softmax(1)
    targets, frames = [2, 1, 1], range(6)
    paths = torch.cartesian_prod(*[torch.arange(4)] * 6)
    scores = log_probs[frames, paths].sum(1)
    for i in scores.argsort(descending=True):
        kept = torch.unique_consecutive(paths[i])
        if kept[kept != 0].tolist() == targets:
            best = paths[i].tolist()
            break
    starts, ends = align_tokens(log_probs, targets)
    path = [0] * 6
    for token, start, end in zip(targets, starts, ends):
        path[start:end] = [token] * (end - start)
    assert path == best


@pytest.mark.parametrize("blank", [0, 6])
def test_the_blank_may_be_any_index(blank):
    path = [blank, 3, blank, 4]
    assert align_tokens(posteriors(path), [3, 4], blank)[0].tolist() == [1, 3]


def test_too_long_a_text_is_an_error():
    log_probs = posteriors([3, 0, 3, 4])
    assert align_tokens(log_probs, [3, 3, 4])[0].tolist() == [0, 2, 3]
    with pytest.raises(ValueError, match="at least 5 frames.*has 4"):
        align_tokens(log_probs, [3, 4, 3, 3])


def test_gaps_are_shared_up_to_the_reach():
    starts, ends = np.array([0.5, 0.9, 2.0]), np.array([0.6, 1.0, 2.1])
    starts, ends = extend_tokens(starts, ends, 2.15, reach=0.2)
    np.testing.assert_allclose(starts, [0.3, 0.75, 1.8])
    np.testing.assert_allclose(ends, [0.75, 1.2, 2.125])


def test_tokens_and_words(tmp_path):
    #       A  _  A  _  ' _ _space_ _  B _ _ _ _ _ _ _ _ _ space _ _ B
    path = [3, 0, 3, 0, 5, 0, 2, 0, 0, 4, *[0] * 9, 2, 0, 0, 4]
    recogniser = make_recogniser(path)
    aligner, found = align(tmp_path, recogniser, "AA' B B", len(path))
    assert aligner.unit == "tokens"
    expected = [
        (0.0, 0.06, "A"),
        (0.06, 0.14, "A"),
        (0.14, 0.28, "'"),
        (0.28, 0.5, "B"),
        (0.5, 0.78, "SIL"),
        (0.78, 0.92, "B"),
    ]
    assert [(s.start, s.end, s.label) for s in found.units] == expected
    assert [(s.start, s.end, s.label) for s in found.words] == [
        (0.0, 0.28, "AA'"),
        (0.28, 0.5, "B"),
        (0.78, 0.92, "B"),
    ]


def test_sentence_pieces(tmp_path):
    tokens = ["<blank>", "<unk>", "\u2581", "A", "\u2581B", "<sos/eos>"]
    path = [2, 3, 0, 3, 4, 3, 4]
    recogniser = make_recogniser(
        path, tokens, lambda text: ["\u2581", "A", "A", "\u2581B", "A", "\u2581B"]
    )
    found = align(tmp_path, recogniser, "AA BA B", 7)[1]
    times = [(s.start, s.end, s.label) for s in found.words]
    assert times == [(0.0, 0.16, "AA"), (0.16, 0.24, "BA"), (0.24, 0.28, "B")]


def test_words_as_tokens(tmp_path):
    tokens = ["<blank>", "<unk>", "NO", "ONE"]
    recogniser = make_recogniser([2, 0, 3, 2], tokens, str.split, whole_words=True)
    found = align(tmp_path, recogniser, "NO ONE NO", 4)[1]
    assert [s.label for s in found.words] == ["NO", "ONE", "NO"]
    assert [s.end for s in found.words] == [0.06, 0.12, 0.16]


def test_phones_lose_their_stress_and_make_no_words(tmp_path):
    recogniser = make_recogniser([5, 2, 4, 3], PHONES, str.split)
    aligner, found = align(tmp_path, recogniser, "SIL AH0 B AH1", 4)
    assert aligner.unit == "phones" and found.words is None
    assert [s.label for s in found.units] == ["SIL", "AH", "B", "AH"]


def test_letters_are_no_phones():
    assert are_phones(PHONES)
    assert not are_phones(["<blank>", "B", "D", "A"])
    assert not are_phones(["<blank>", "<unk>"])


def test_words_of_spaces_and_pieces():
    assert word_of(["A", "<space>", "B", "B"]).tolist() == [0, 1, 1, 1]
    assert word_of(["\u2581A", "B", "\u2581B"]).tolist() == [1, 1, 2]
    starts, ends = join_words(np.array([0, 1, 1]), np.arange(3), np.arange(3) + 1)
    assert starts.tolist() == [0, 1] and ends.tolist() == [1, 3]


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no text"),
        ("<unk>", "no text"),
        ("AXY A", "no token 'X', 'Y'"),
        ("A  A", "2 words, its tokens make 1"),
    ],
)
def test_texts_of_no_use(tmp_path, text, said):
    split = [["A", "A"]] if "  " in text else []
    recogniser = make_recogniser([3, 0, 3])
    if split:
        recogniser.tokenize = lambda text: split[0]
    with pytest.raises(ValueError, match=said):
        align(tmp_path, recogniser, text, 3)


def test_silence_is_all_there_is_around_one_token(tmp_path):
    path = [0] * 10 + [3] + [0] * 10
    found = align(tmp_path, make_recogniser(path), "A", 21)[1]
    assert found.units == [
        Segment(0.0, 0.3, "SIL"),
        Segment(0.3, 0.54, "A"),
        Segment(0.54, 0.84, "SIL"),
    ]
