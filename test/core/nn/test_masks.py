import torch

from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask


def test_true_marks_padding():
    mask = lengths_to_padding_mask(torch.tensor([1, 3, 4]), 4)
    expected = [[False, True, True, True], [False] * 3 + [True], [False] * 4]
    assert mask.tolist() == expected


def test_mask_without_padding_is_dropped():
    assert drop_if_unpadded(lengths_to_padding_mask(torch.tensor([4, 4]), 4)) is None
    mask = lengths_to_padding_mask(torch.tensor([4, 3]), 4)
    assert drop_if_unpadded(mask) is mask
