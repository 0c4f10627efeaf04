"""Padding masks; packed frames, unpacking, utterances without visible frames."""

from __future__ import annotations

import pytest
import torch
from factories import DIM, POSITIONS, make_transformer

from espnet_uniwav.core.nn.masks import (
    VisibleFrames,
    drop_if_unpadded,
    lengths_to_padding_mask,
)

HIDDEN = torch.tensor(
    [
        [False, True, False, True, True],
        [False, False, False, True, True],
        [True, True, True, True, True],
    ]
)


def test_true_marks_padding():
    mask = lengths_to_padding_mask(torch.tensor([1, 3, 4]), 4)
    expected = [[False, True, True, True], [False] * 3 + [True], [False] * 4]
    assert mask.tolist() == expected


def test_mask_without_padding_is_dropped():
    assert drop_if_unpadded(lengths_to_padding_mask(torch.tensor([4, 4]), 4)) is None
    mask = lengths_to_padding_mask(torch.tensor([4, 3]), 4)
    assert drop_if_unpadded(mask) is mask


def test_frames_are_packed_in_their_order():
    visible = VisibleFrames(HIDDEN)
    x = torch.arange(15.0).view(3, 5, 1)
    packed = visible.pack(x)[..., 0]
    assert packed.shape == (3, 3)
    assert packed[0, :2].tolist() == [0, 2] and packed[1].tolist() == [5, 6, 7]
    expected = [[False, False, True], [False] * 3, [False, True, True]]
    assert visible.padding_mask.tolist() == expected
    assert visible.frames[0, :2].tolist() == [0, 2]


def test_unpacked_frames_are_where_they_were():
    visible = VisibleFrames(HIDDEN)
    x = torch.randn(3, 5, DIM)
    gap = torch.randn(DIM)
    found = visible.unpack(visible.pack(x), gap)
    assert torch.equal(found, torch.where(HIDDEN[..., None], gap, x))


def test_equal_numbers_need_no_padding():
    hidden = torch.tensor([[True, False, False], [False, True, False]])
    assert VisibleFrames(hidden).padding_mask is None


def test_numbers_that_were_read_before_change_nothing():
    for hidden, numbers in ((HIDDEN, (0, 3)), (HIDDEN[:2, :4], (2, 3))):
        given, read = VisibleFrames(hidden, numbers), VisibleFrames(hidden)
        assert torch.equal(given.frames, read.frames)
        assert torch.equal(given.padding_mask, read.padding_mask)


def test_gradients_reach_visible_frames_alone():
    visible = VisibleFrames(HIDDEN)
    x = torch.randn(3, 5, DIM, requires_grad=True)
    gap = torch.randn(DIM, requires_grad=True)
    visible.unpack(visible.pack(x), gap).sum().backward()
    assert torch.equal(x.grad, (~HIDDEN)[..., None].float().expand_as(x))
    assert torch.equal(gap.grad, torch.full((DIM,), float(HIDDEN.sum())))


@pytest.mark.parametrize("position", POSITIONS)
def test_nothing_visible_is_finite(position):
    transformer = make_transformer(position=position)
    x = torch.randn(2, 7, DIM, requires_grad=True)
    visible = VisibleFrames(torch.tensor([[True] * 7, [False] * 7]))
    states = transformer(x, visible=visible)[0]
    last = visible.unpack(states[-1], torch.zeros(DIM))
    last.square().sum().backward()
    assert last.isfinite().all() and x.grad.isfinite().all()
    assert (last[0] == 0).all() and (x.grad[0] == 0).all()
