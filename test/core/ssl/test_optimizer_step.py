"""Teacher and codebooks are updated once per optimiser step actually taken."""

import gc
import weakref

import pytest
import torch
from factories import NUM_MELS, make_pretraining, masked_loss
from torch import nn
from torch.optim import optimizer as torch_optimizer

from espnet_uniwav.core.ssl.optimizer_step import after_optimizer_step


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.linear = nn.Linear(2, 1)
        self.steps = 0
        after_optimizer_step(self)

    def after_optimizer_step(self):
        self.steps += 1

    def backward(self, x=1.0):
        self.linear(torch.full((1, 2), x)).sum().backward()


def hooks():
    return torch_optimizer._global_optimizer_post_hooks


def test_counts_steps_and_not_backward_passes():
    model = Counter()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for expected in (1, 2):
        model.backward()
        model.backward()
        assert model.steps == expected - 1
        optimizer.step()
        assert model.steps == expected


def test_other_optimisers_are_ignored():
    model, other = Counter(), Counter()
    torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1).step()
    other.backward()
    torch.optim.Adam(other.parameters()).step()
    assert (model.steps, other.steps) == (0, 1)


def test_a_step_without_gradients_does_not_count():
    """As of Lightning, after a batch that it was told to skip."""
    model = Counter()
    optimizer = torch.optim.AdamW(model.parameters())
    optimizer.step(optimizer.zero_grad)
    assert model.steps == 0
    optimizer.step(model.backward)
    assert model.steps == 1


class Sharded(torch.optim.Optimizer):
    """Steps by an optimiser of its own part of the weights, as fairscale's OSS."""

    def __init__(self, parameters, part):
        super().__init__(parameters, {})
        self.part = torch.optim.SGD(part, lr=0.1)

    def step(self, closure=None):
        self.part.step()


@pytest.mark.parametrize("part", ("weight", "bias"))
def test_an_optimiser_within_another_does_not_count(part):
    model = Counter()
    part = [getattr(model.linear, part)]
    optimizer = Sharded(model.parameters(), part)
    for expected in (1, 2):
        model.backward()
        optimizer.step()
        assert model.steps == expected


def test_a_step_that_fails_does_not_stop_the_count():
    model = Counter()
    optimizer = torch.optim.LBFGS(model.parameters())
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    assert model.steps == 0
    model.backward()
    optimizer.step(lambda: model.linear.weight.sum())
    assert model.steps == 1


def test_a_step_that_fails_does_not_stop_the_count_of_another_optimiser():
    model = Counter()
    old, new = (torch.optim.AdamW(model.parameters()) for _ in range(2))
    with pytest.raises(ZeroDivisionError):
        old.step(lambda: 1 / 0)
    new.step(model.backward)
    assert model.steps == 1


def test_hook_goes_with_the_model():
    gc.collect()
    stranger = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    stranger.step()
    before = len(hooks())
    model = Counter()
    reference = weakref.ref(model)
    assert len(hooks()) == before + 1
    del model
    gc.collect()
    assert reference() is None
    stranger.step()
    assert len(hooks()) == before


@pytest.mark.parametrize("fused", (False, True))
def test_step_skipped_by_the_loss_scaler_does_not_count(fused):
    model = Counter()
    optimizer = torch.optim.AdamW(model.linear.parameters(), fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for x, expected in ((1.0, 1), (float("inf"), 1), (1.0, 2)):
        optimizer.zero_grad()
        loss = model.linear(torch.full((1, 2), x)).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        assert model.steps == expected


def batches(number):
    x = torch.randn(number, 2, 20, NUM_MELS)
    mask = torch.rand(number, 2, 20) < 0.5
    return list(zip(x, mask))


@pytest.fixture
def pretraining():
    model = make_pretraining()
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_accumulated_gradients_make_one_update_of_all_statistics(pretraining):
    model, optimizer = pretraining
    single = make_pretraining()
    single.load_state_dict(model.state_dict())
    (x, mask), (y, other) = batches(2)
    before = model.dinosr.codebooks.codewords.clone()
    masked_loss(model, x, mask).backward()
    masked_loss(model, y, other).backward()
    assert torch.equal(model.dinosr.codebooks.codewords, before)
    optimizer.step()
    assert int(model.dinosr.teacher.num_updates) == 1
    joined = torch.cat((x, y)), torch.cat((mask, other))
    masked_loss(single, *joined)
    single.dinosr.codebooks.update()
    torch.testing.assert_close(model.dinosr.codebooks.sum, single.dinosr.codebooks.sum)
    torch.testing.assert_close(
        model.dinosr.codebooks.count, single.dinosr.codebooks.count
    )


def test_skipped_step_updates_nothing(pretraining):
    model, optimizer = pretraining
    words = model.dinosr.codebooks.codewords.clone()
    weights = [p.clone() for p in model.dinosr.teacher.parameters()]
    masked_loss(model, *batches(1)[0]).backward()
    optimizer.zero_grad()
    assert int(model.dinosr.teacher.num_updates) == 0
    assert torch.equal(model.dinosr.codebooks.codewords, words)
    for old, new in zip(weights, model.dinosr.teacher.parameters()):
        assert torch.equal(old, new)


def test_teacher_follows_the_student_after_its_step(pretraining):
    model, optimizer = pretraining
    old = model.encoder.transformer.layers[0].fc1.weight.clone()
    masked_loss(model, *batches(1)[0]).backward()
    decay = float(model.dinosr.teacher.decay())
    optimizer.step()
    new = model.encoder.transformer.layers[0].fc1.weight
    assert not torch.equal(old, new)
    torch.testing.assert_close(
        model.dinosr.teacher.network.layers[0].fc1.weight,
        (decay * old + (1 - decay) * new).detach(),
    )
