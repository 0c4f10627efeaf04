"""Draws of a validation repeat, and the random state is restored."""

import torch

from espnet_uniwav.core.nn.draws import same_draws

CPU = torch.device("cpu")


def draws(enabled: bool) -> torch.Tensor:
    with same_draws(CPU, enabled):
        return torch.rand(3)


def test_draws_repeat():
    assert torch.equal(draws(True), draws(True))
    assert not torch.equal(draws(False), draws(False))


def test_training_goes_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    draws(True)
    assert torch.equal(torch.rand(3), expected)
