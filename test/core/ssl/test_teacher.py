"""The EMA teacher: formula, schedule, targets, fp32."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from factories import DIM, POSITIONS, make_teacher, make_transformer

from espnet_uniwav.core.ssl.teacher import instance_norm


def change(module):
    for parameter in module.parameters():
        parameter.data += torch.randn_like(parameter)


def test_weights_follow_the_formula():
    student = make_transformer(position="conv_alibi")
    teacher = make_teacher(student)
    expected = {k: v.clone() for k, v in student.named_parameters()}
    for update in range(1, 7):
        change(student)
        decay = 0.8 + 0.1 * min(update / 4, 1.0)
        assert float(teacher.decay()) == pytest.approx(decay, abs=1e-6)
        teacher.update(student)
        for name, value in student.named_parameters():
            if name.startswith("positions."):
                expected[name] = value.clone()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * value
        for name, value in teacher.network.named_parameters():
            torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-5)
    assert int(teacher.num_updates) == 6


def test_exponential_decay():
    """1 - 0.2 exp(-t / 4), and 1 when nothing is left to average."""
    teacher = make_teacher(ema_schedule="exponential")
    for update in (1, 4, 40, 57):
        teacher.num_updates.fill_(update - 1)
        expected = 1 - 0.2 * math.exp(-update / 4)
        assert float(teacher.decay()) == pytest.approx(expected, abs=1e-7)
    for update in (59, 1000):  # 0.2 exp(-59 / 4) is below 1e-7
        teacher.num_updates.fill_(update - 1)
        assert float(teacher.decay()) == 1.0
    teacher.freeze_step = 3
    teacher.num_updates.fill_(3)
    assert float(teacher.decay()) == 1.0


def test_unknown_schedule_is_an_error():
    with pytest.raises(ValueError, match="'linear', 'exponential'.*found 'cosine'"):
        make_teacher(ema_schedule="cosine")


def test_frozen_teacher_stands_still():
    student = make_transformer()
    teacher = make_teacher(student, freeze_step=2)
    for _ in range(2):
        change(student)
        teacher.update(student)
    before = copy.deepcopy(teacher.network.state_dict())
    change(student)
    teacher.update(student)
    for name, value in teacher.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_targets_are_normalised_outputs_of_the_top_layers():
    student = make_transformer()
    teacher = make_teacher(student)
    x = torch.randn(2, 9, DIM)
    targets = teacher(x, None, 2)
    outputs = student.eval()(x)[1][1:]
    for target, output in zip(targets, outputs):
        expected = F.instance_norm(output.transpose(1, 2)).transpose(1, 2)
        torch.testing.assert_close(target, expected, atol=1e-5, rtol=1e-5)


def test_instance_norm_ignores_padding():
    x = torch.randn(2, 3, 20, 5)
    padding_mask = torch.arange(20) >= torch.tensor([[20], [7], [1]])
    found = instance_norm(x, padding_mask)
    for i, length in enumerate((20, 7, 1)):
        valid = x[:, i, :length]
        mean = valid.mean(1, keepdim=True)
        variance = valid.var(1, unbiased=False, keepdim=True)
        expected = (valid - mean) / (variance + 1e-5).sqrt()
        torch.testing.assert_close(found[:, i, :length], expected, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(
        instance_norm(x, None), instance_norm(x, torch.zeros(3, 20, dtype=torch.bool))
    )


@pytest.mark.parametrize("position", POSITIONS)
def test_padding_changes_no_target(position):
    teacher = make_teacher(make_transformer(position=position))
    x = torch.randn(2, 25, DIM)
    padding_mask = torch.arange(25) >= torch.tensor([[9], [25]])
    batch = teacher(x, padding_mask, 3)
    alone = teacher(x[:1, :9], None, 3)
    torch.testing.assert_close(batch[:, :1, :9], alone, atol=1e-4, rtol=1e-4)


def test_targets_are_fp32_under_autocast():
    teacher = make_teacher()
    x = torch.randn(2, 9, DIM)
    expected = teacher(x, None, 2)
    with torch.autocast("cpu", torch.bfloat16):
        targets = teacher(x, None, 2)
        assert teacher(x.bfloat16(), None, 2).dtype == torch.float32
    assert targets.dtype == torch.float32
    assert torch.equal(targets, expected)


def test_targets_in_bfloat16():
    """Close to those in fp32, normalised in fp32, with or without autocast."""
    teacher = make_teacher(bf16=True)
    x = torch.randn(2, 90, DIM)
    targets = teacher(x, None, 2)
    teacher.bf16 = False
    exact = teacher(x, None, 2)
    assert targets.dtype == torch.float32
    assert 1e-4 < (targets - exact).abs().mean() < 0.05
    torch.testing.assert_close(
        targets.mean(2), torch.zeros(2, 2, DIM), atol=1e-5, rtol=0
    )
    assert all(p.dtype == torch.float32 for p in teacher.parameters())


def test_weights_are_fp32_whatever_the_student_is():
    student = make_transformer()
    teacher = make_teacher(copy.deepcopy(student).bfloat16())
    change(student)
    with torch.autocast("cpu", torch.bfloat16):
        teacher.update(student)
    assert all(p.dtype == torch.float32 for p in teacher.parameters())


def test_teacher_is_not_trained_and_has_no_dropout():
    teacher = make_teacher(make_transformer(dropout=0.5)).train()
    x = torch.randn(1, 9, DIM, requires_grad=True)
    targets = teacher(x, None, 2)
    assert not targets.requires_grad
    assert not any(p.requires_grad for p in teacher.parameters())
    assert torch.equal(targets, teacher(x, None, 2))


def test_teacher_owns_its_weights():
    student = make_transformer()
    teacher = make_teacher(student)
    x = torch.randn(1, 9, DIM)
    before = teacher(x, None, 2)
    change(student)
    assert torch.equal(teacher(x, None, 2), before)


def test_updates_are_saved():
    teacher, student = make_teacher(), make_transformer()
    teacher.update(student)
    resumed = make_teacher()
    resumed.load_state_dict(teacher.state_dict())
    assert float(resumed.decay()) == float(teacher.decay()) != 0.8
