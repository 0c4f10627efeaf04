"""Span masks: where they may fall, how many, and their independence of padding."""

import pytest
import torch

from espnet_uniwav.core.ssl.mask import SpanMask


def runs(row):
    """Lengths of the masked runs of one utterance."""
    lengths, current = [], 0
    for masked in [*row.tolist(), False]:
        if masked:
            current += 1
        elif current:
            lengths.append(current)
            current = 0
    return lengths


def test_padding_and_the_last_frame_are_never_masked():
    lengths = torch.tensor([1, 2, 3, 5, 9, 10, 11, 40, 100])
    for _ in range(50):
        mask = SpanMask(0.9, 10)(lengths, 100)
        assert mask.dtype == torch.bool
        for row, length in zip(mask, lengths):
            assert not row[length - 1 :].any()
            assert row[:length].any() == (length > 1)


@pytest.mark.parametrize("prob", (0.1, 0.5, 1.0))
def test_exact_share(prob):
    """Of every utterance; padding stays out, and one frame is masked, one kept."""
    lengths = torch.tensor([1, 2, 3, 9, 40, 100])
    expected = [0, 1, max(1, round(3 * prob)), round(9 * prob), *(lengths[4:] * prob)]
    expected = [min(int(n), int(T) - 1) for n, T in zip(expected, lengths)]
    for _ in range(50):
        mask = SpanMask(prob, 10, exact=True)(lengths, 120)
        assert mask.sum(1).tolist() == expected
        for row, length in zip(mask, lengths):
            assert not row[length:].any()


def test_exact_shares_are_masked_in_spans():
    """Only the last span drawn, and one at the end of the utterance, may be cut."""
    rows = SpanMask(0.5, 7, exact=True)(torch.full((50,), 90), 90)
    short = [sum(length < 7 for length in runs(row)) for row in rows]
    assert max(short) <= 2
    drawn = SpanMask(0.68, 7)(torch.full((50,), 90), 90)
    ours, theirs = (sum(map(len, map(runs, r))) / r.sum() for r in (rows, drawn))
    assert 0.8 < float(ours / theirs) < 1.25


def test_exact_shares_do_not_depend_on_the_batch():
    alone = SpanMask(0.5, 5, exact=True)(torch.full((4000,), 40), 40).float().mean(0)
    padded = SpanMask(0.5, 5, exact=True)(torch.full((4000,), 40), 99).float().mean(0)
    torch.testing.assert_close(padded[:40], alone, atol=0.05, rtol=0)


def test_spans_are_whole():
    for _ in range(20):
        for row in SpanMask(0.5, 7)(torch.full((8,), 90), 90):
            assert min(runs(row)) >= 7


def test_number_of_spans():
    """Spans of one frame do not overlap: mask_prob * T of them, rounded at random."""
    counts = SpanMask(0.35, 1)(torch.full((4000,), 10), 10).sum(1)
    assert set(counts.tolist()) == {3, 4}
    assert 3.45 < float(counts.float().mean()) < 3.55


def test_every_start_is_equally_likely():
    share = SpanMask(0.2, 1)(torch.full((20000,), 11), 11).float().mean(0)
    torch.testing.assert_close(share[:10], torch.full((10,), 0.22), atol=0.015, rtol=0)


def test_padding_of_the_batch_changes_no_share():
    alone = SpanMask()(torch.full((4000,), 40), 40).float().mean(0)
    padded = SpanMask()(torch.full((4000,), 40), 120).float().mean(0)
    torch.testing.assert_close(padded[:40], alone, atol=0.05, rtol=0)
    assert 0.45 < float(alone.mean()) < 0.62


def test_utterances_of_a_batch_differ():
    mask = SpanMask()(torch.full((2,), 200), 200)
    assert not torch.equal(mask[0], mask[1])


@pytest.mark.parametrize("conf", ((0.0, 10), (1.1, 10), (0.5, 0)))
def test_wrong_arguments_are_named(conf):
    with pytest.raises(ValueError, match="expected 0 < mask_prob <= 1"):
        SpanMask(*conf)
