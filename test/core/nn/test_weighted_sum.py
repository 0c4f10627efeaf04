import numpy as np
import pytest
import torch

from espnet_uniwav.core.nn.weighted_sum import WeightedSum


def test_equals_numpy():
    layer = WeightedSum(3)
    layer.logits.data = torch.tensor([0.5, -1.0, 2.0])
    states = [torch.randn(2, 4, 5) for _ in range(3)]
    weights = np.exp([0.5, -1.0, 2.0]) / np.exp([0.5, -1.0, 2.0]).sum()
    expected = sum(w * s.numpy() for w, s in zip(weights, states))
    torch.testing.assert_close(layer(states), torch.tensor(expected).float())


def test_starts_uniform_and_is_trained():
    layer = WeightedSum(4)
    torch.testing.assert_close(layer.weights(), torch.full((4,), 0.25))
    layer([torch.randn(1, 2, 3) for _ in range(4)]).square().sum().backward()
    assert (layer.logits.grad != 0).all()


def test_number_of_states_is_checked():
    with pytest.raises(ValueError, match="expected 3 hidden states, found 2"):
        WeightedSum(3)([torch.zeros(1)] * 2)
