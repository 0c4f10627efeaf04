"""Tokens and frames: closed forms, and what padding may not change."""

import pytest
import torch
from factories import train_steps

from espnet_uniwav.apps.phones.ctm import Segment, frame_labels
from espnet_uniwav.apps.phones.durations import token_durations
from espnet_uniwav.apps.tts.durations import (
    DurationPredictor,
    scale_durations,
    token_of_frame,
)
from espnet_uniwav.apps.tts.text import TextCondition, TextEncoder

DURATIONS = torch.tensor([[2, 0, 3, 1], [1, 1, 0, 0]])
PADDING = torch.tensor([[False] * 4, [False, False, True, True]])
PHONES = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]])
ENDS = torch.tensor([[False, True, False, True], [True, True, False, False]])


def make_predictor():
    torch.manual_seed(0)
    return DurationPredictor(8, 16, dropout=0.0)


def test_frames_belong_to_tokens():
    index = token_of_frame(DURATIONS, 6)
    assert index[0].tolist() == [0, 0, 2, 2, 2, 3]
    assert index[1, :2].tolist() == [0, 1]
    assert index.max() < 4


@pytest.mark.parametrize("total", [1, 7, 24, 100])
def test_scaled_durations_sum_up(total):
    durations = torch.tensor([3.2, 0.0, 1.1, 7.7])
    scaled = scale_durations(durations, total)
    assert scaled.sum() == total and scaled[1] == 0 and (scaled >= 0).all()
    exact = durations * total / durations.sum()
    assert (scaled - exact).abs().max() <= 1


def test_durations_agree_with_frame_labels():
    """Also if a segment is between two frame centres, and with a ragged end."""
    segments = [
        Segment(0.0, 0.05, "A"),
        Segment(0.05, 0.055, "B"),
        Segment(0.055, 0.1, "C"),
        Segment(0.1, 0.131, "A"),
    ]
    labels, counts = token_durations(segments, 7, 50)
    repeated = [label for label, n in zip(labels, counts) for _ in range(n)]
    assert repeated == frame_labels(segments, 7, 50).tolist()
    assert counts == [3, 0, 2, 2]


@pytest.mark.parametrize(
    "segments, message",
    [([], "no segments"), ([Segment(0.0, 1.0, "A"), Segment(2.0, 3.0, "B")], "2.0 s")],
)
def test_segments_of_no_use(segments, message):
    with pytest.raises(ValueError, match=message):
        token_durations(segments, 7, 50)


def test_predictor_knows_and_learns():
    predictor, known = make_predictor(), DURATIONS == 2
    losses = train_steps(
        lambda i: predictor.loss(PHONES, ENDS, DURATIONS, known, PADDING),
        predictor.parameters(),
        *(60, 0.01),
    )
    assert losses[-1] < 0.3 * losses[0]
    predicted = predictor.predict(*(v[:1] for v in (PHONES, ENDS, DURATIONS, known)))
    assert predicted[0] == 2
    assert (predicted - DURATIONS[0]).abs().max() < 1


def test_only_known_durations_are_seen():
    text, known = (PHONES[:1], ENDS[:1]), torch.tensor([[True, True, False, False]])
    predictor = make_predictor()
    base = predictor(*text, DURATIONS[:1], known)
    hidden = predictor(*text, torch.tensor([[2, 0, 9, 9]]), known)
    seen = predictor(*text, torch.tensor([[5, 0, 3, 1]]), known)
    assert torch.equal(base, hidden)
    assert not torch.allclose(base, seen)
    assert not torch.allclose(
        base, predictor(PHONES[:1], ~ENDS[:1], DURATIONS[:1], known)
    )


def test_padding_changes_no_token():
    torch.manual_seed(0)
    encoder = TextEncoder(8, 16, dropout=0.0)
    states = encoder(PHONES, PADDING)
    torch.testing.assert_close(states[1:, :2], encoder(PHONES[1:, :2]))
    predictor = make_predictor()
    inputs = PHONES, ENDS, DURATIONS, torch.zeros_like(PADDING)
    padded = predictor(*inputs, PADDING)[1:, :2]
    single = predictor(*(own[1:, :2] for own in inputs))
    torch.testing.assert_close(padded, single)


def test_condition_tells_token_and_place():
    torch.manual_seed(0)
    condition = TextCondition(16)
    states = torch.randn(1, 3, 16)
    durations = torch.tensor([[2, 3, 2]])
    x = condition(states, durations, None, 7)[0]
    assert not torch.allclose(x[0], x[1])
    same = condition(states[:, [0, 1, 0]], durations, None, 7)[0]
    torch.testing.assert_close(same[:2], same[5:])
    silent = torch.tensor([[True] * 2 + [False] * 5])
    torch.nn.init.ones_(condition.no_text)
    quiet = condition(states, durations, silent, 7)[0]
    assert (quiet[:2] == 1).all() and torch.equal(quiet[2:], x[2:])
