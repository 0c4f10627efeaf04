"""What callers give: arrays, lists, batches of one; and what is refused."""

import numpy as np
import pytest
import torch

from espnet_uniwav.core.nn.given import (
    NUMBERS,
    SAMPLES,
    TRUTH,
    WHOLE,
    as_lengths,
    as_mask,
    as_tensor,
)

SPEECH = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)


def samples(value):
    return as_tensor(value, "speech", "BS", SAMPLES)


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "value",
    [
        SPEECH,
        SPEECH.astype(np.float64),
        SPEECH.astype(">f4"),
        SPEECH.T.copy().T,
        SPEECH[::-1][::-1],
        frozen(SPEECH),
        SPEECH.tolist(),
        list(SPEECH),
        torch.from_numpy(SPEECH),
    ],
)
def test_samples(value):
    found = samples(value)
    assert found.dtype == torch.float32 and torch.equal(found, torch.tensor(SPEECH))
    assert torch.equal(samples(value[0]), found[:1])


@pytest.mark.parametrize("kind", ["<i2", ">i2"])
def test_samples_of_16_bits_are_scaled(kind):
    values = np.array([-32768, 0, 16384], kind)
    expected = torch.tensor([[-1.0, 0.0, 0.5]])
    assert torch.equal(samples(values), expected)
    assert torch.equal(samples(torch.from_numpy(values.astype("<i2"))), expected)


@pytest.mark.parametrize(
    "value, shape, kind, error, found",
    [
        (None, "BS", SAMPLES, TypeError, "NoneType"),
        ("a.wav", "BS", SAMPLES, TypeError, "str"),
        ({"a": 1}, "BS", SAMPLES, TypeError, "dict"),
        (np.zeros(3, np.int64), "BS", SAMPLES, TypeError, "torch.int64"),
        (torch.zeros(3).bool(), "BS", SAMPLES, TypeError, "torch.bool"),
        (torch.zeros(3, dtype=torch.cfloat), "S", SAMPLES, TypeError, "torch.complex"),
        (np.zeros((1, 2, 3)), "BS", SAMPLES, ValueError, r"shape \(1, 2, 3\)"),
        (np.zeros((800, 2)), "BS", SAMPLES, ValueError, r"shape \(800, 2\); mix them"),
        (np.float32(1), "BS", SAMPLES, ValueError, r"shape \(\)"),
        ([[1.0], [1.0, 2.0]], "BS", SAMPLES, ValueError, "rows of different lengths"),
        (np.zeros((4, 3), np.int16), "BTF", NUMBERS, TypeError, "torch.int16"),
        ([1.0], "B", WHOLE, TypeError, "torch.float32"),
        ([True], "B", WHOLE, TypeError, "torch.bool"),
        ([0, 1], "BT", TRUTH, TypeError, "torch.int64"),
    ],
)
def test_what_is_refused(value, shape, kind, error, found):
    letters = ", ".join(shape)
    message = rf"thing: expected {kind}, \({letters}\), found {found}"
    with pytest.raises(error, match=message):
        as_tensor(value, "thing", shape, kind)


@pytest.mark.parametrize(
    "value", [[6, 4], (6, 4), np.array([6, 4], np.int32), torch.tensor([6, 4])]
)
def test_lengths(value):
    found = as_lengths(value, torch.zeros(2, 6))
    assert found.dtype == torch.long and found.tolist() == [6, 4]
    assert as_lengths(None, torch.zeros(2, 6)).tolist() == [6, 6]
    assert as_lengths(6, torch.zeros(1, 6)).tolist() == [6]


@pytest.mark.parametrize(
    "value, message",
    [
        ([6], "expected 2, one for every utterance, found 1"),
        ([6, 7], r"expected 0 to 6, .* found \[6, 7\]"),
        ([-1, 6], r"found \[-1, 6\]"),
        ([[6, 6]], r"found shape \(1, 2\)"),
    ],
)
def test_lengths_of_another_batch(value, message):
    with pytest.raises(ValueError, match=f"lengths: .*{message}"):
        as_lengths(value, torch.zeros(2, 6))


def test_masks():
    x = torch.zeros(1, 3, 2)
    expected = torch.tensor([[True, False, True]])
    for mask in (expected, expected[0].numpy(), [True, False, True]):
        assert torch.equal(as_mask(mask, x, "mask"), expected)
    assert as_mask(None, x, "mask") is None
    message = r"mask: expected the shape \(1, 3\) of the frames, found \(1, 2\)"
    with pytest.raises(ValueError, match=message):
        as_mask([True, False], x, "mask")
