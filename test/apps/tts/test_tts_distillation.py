"""A student of a synthesiser: what it learns, and what stays the teacher's."""

import copy

import pytest
import torch
from factories import NUM_MELS, make_synthesizer, train_steps

from espnet_uniwav.apps.tts.batch import Batch
from espnet_uniwav.apps.tts.distillation import Teacher
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling

TWO = Sampling(2, "euler", guidance_scale=0.0, temperature=SPEAKING.temperature)


@pytest.fixture
def batch():
    tokens = torch.tensor([[2, 3, 4, 5], [3, 2, 0, 0]])
    durations = torch.tensor([[5, 9, 4, 7], [8, 6, 0, 0]])
    x = torch.randn(2, 25, NUM_MELS)
    return Batch(tokens, torch.tensor([4, 2]), durations, x, durations.sum(1))


def speak(synthesizer, sampling, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens, durations = torch.tensor([2, 3, 4]), torch.tensor([6, 9, 5])
    return synthesizer.speak(
        tokens, durations=durations, sampling=sampling, generator=generator
    ).x


def distance(student, teacher, sampling):
    """Mean squared distance to the teacher's speech with 16 evaluations."""
    pairs = [
        (speak(student, sampling, seed), speak(teacher, SPEAKING, seed))
        for seed in range(50, 58)
    ]
    return float(sum((a - b).square().mean() for a, b in pairs) / len(pairs))


def with_dropout(model):
    for module in model.modules():
        if hasattr(module, "dropout"):
            module.dropout = 0.5
    return model


def test_two_evaluations_come_near_sixteen(batch):
    model = make_synthesizer()
    model.uniwav.decoder.output_projection.weight.data.mul_(0.5)  # smoother velocities
    student, teacher = copy.deepcopy(model).train(), Teacher(model, SPEAKING, 2)
    decoder = student.uniwav.decoder
    optimizer = torch.optim.Adam(decoder.parameters())
    before = copy.deepcopy(student.state_dict())
    for step in range(60):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / 60)
        loss, stats = teacher.loss(student, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(stats["loss_distil"], loss.detach())
    learned = distance(student.eval(), model, TWO)
    for start in (TWO, SPEAKING.but(num_steps=1)):
        assert learned < 0.5 * distance(model, model, start)
    for name, value in student.state_dict().items():
        same = torch.equal(value, before[name])
        assert same == (not name.startswith("uniwav.decoder.") or "precond" in name)


def test_the_teacher_is_frozen_and_without_dropout(batch):
    model = with_dropout(make_synthesizer())
    student = copy.deepcopy(model)
    teacher = Teacher(model.train(), SPEAKING, 2)
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        losses.append(teacher.loss(student, batch)[0])
    losses[0].backward()
    assert torch.equal(*losses) and losses[0] > 0
    assert not any(p.requires_grad for p in model.parameters())
    assert model.known_tokens.all() and not model.training


def test_a_student_with_a_condition_of_its_own(batch):
    model, student = make_synthesizer(), make_synthesizer()
    for part in (student.uniwav.encoder, student.text_encoder):
        for parameter in part.parameters():
            parameter.data.mul_(1.5)
    student = with_dropout(student).requires_grad_(False).train()
    reads = (student.uniwav.weighted_sum, student.text_encoder, student.text_condition)
    learning = [p for part in reads for p in part.requires_grad_(True).parameters()]
    teacher = Teacher(model, TWO, 2, same_condition=False)

    def step(number):
        torch.manual_seed(0)
        return teacher.loss(student, batch)[0]

    losses = train_steps(step, learning, 20, 1e-2)
    assert all(any(p.grad.any() for p in part.parameters()) for part in reads)
    assert losses[-1] < 0.8 * losses[0]
    assert torch.equal(step(0), step(1)) and student.training


def test_a_student_equal_to_a_teacher_of_its_steps_has_nothing_to_learn(batch):
    model = make_synthesizer()
    teacher = Teacher(model, TWO, 2, same_condition=False)
    assert teacher.loss(copy.deepcopy(model), batch)[0] < 1e-10
