"""The check of a GPU, rehearsed on the CPU with even smaller settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

pytest.importorskip("espnet2")
from test_docs import ROOT  # noqa: E402

from espnet_uniwav.lab.benchmark import gpu_check  # noqa: E402
from espnet_uniwav.lab.benchmark.cpu_draws import cpu_draws  # noqa: E402

CONF = ROOT / "egs2/mini_speech/ssl1/conf"


@pytest.fixture
def small(monkeypatch):
    plan = gpu_check.PLANS["cpu"]
    compared = replace(plan.compared, batch=1, seconds=0.32)  # of 16 frames
    sizes = tuple((name, "2x64", 1) for name in ("tiny", "base", "large"))
    plan = replace(plan, sizes=sizes, compared=compared, seconds=0.4, num_steps=2)
    monkeypatch.setitem(gpu_check.PLANS, "cpu", plan)
    options = dict(gpu_check.OPTIONS)
    del options["compile"]  # takes half a minute; the layers are tested by themselves
    monkeypatch.setattr(gpu_check, "OPTIONS", options)
    monkeypatch.setattr(gpu_check, "SPOKEN", 1.5)
    monkeypatch.setattr(gpu_check, "TEXT", "Hello.")


def run(tmp_path):
    output = tmp_path / "gpu.md"
    gpu_check.main(["--device", "cpu", "--conf", str(CONF), "--output", str(output)])
    return output.read_text()


def test_every_check_passes_on_the_cpu(small, tmp_path):
    text = run(tmp_path)
    table, checks = text.split("| check | result |")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[1:]] == [
        f"| {name}" for name in ("tiny", "base", "large") for _ in range(3)
    ] + ["| base"] * 2
    assert {row[2] for row in rows[1:]} >= {"checkpointing", "DDP, one process"}
    for row in rows[1:]:
        if row[1] == "fp32":
            assert row[5] == "0.00%"
    assert "| equal tokens | 100.00% |" in checks
    assert "| frames of speech | 0 off" in checks
    assert "failed" not in text and "WRONG" not in text


def fail(*args):
    raise RuntimeError("no kernel\nat all")


def test_wrong_losses_and_failures_are_reported_and_stop_nothing(
    small, tmp_path, monkeypatch
):
    found, take = [], gpu_check.take_reference

    def take_wrong(setting, num_steps):
        losses, precondition = take(setting, num_steps)
        found.append(setting)
        return [2 * loss for loss in losses], precondition

    monkeypatch.setattr(gpu_check, "take_reference", take_wrong)
    monkeypatch.setattr(gpu_check, "TOLERANCE", {"fp32": 0.01})
    monkeypatch.setattr(gpu_check, "OPTIONS", {})
    monkeypatch.setattr(gpu_check, "check_speaking", fail)
    with pytest.raises(SystemExit) as ended:
        run(tmp_path)
    text = (tmp_path / "gpu.md").read_text()
    assert ended.value.code == 1 and len(found) == 3
    assert text.count("WRONG") == 4
    assert "| failed: RuntimeError: no kernel | WRONG |" in text
    assert "| equal tokens | 100.00% |" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_said():
    with pytest.raises(SystemExit, match="--device"):
        gpu_check.main([])


def test_draws_are_those_of_the_cpu():
    torch.manual_seed(0)
    expected = torch.rand(2, 3), torch.randn(2), torch.randn(4)
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(5, generator=generator)
    before = torch.rand
    with cpu_draws():
        torch.manual_seed(0)
        assert torch.rand is not before
        assert torch.rand(2, 3, device="cpu").equal(expected[0])
        assert torch.randn((2,)).equal(expected[1])
        assert torch.randn_like(torch.zeros(4)).equal(expected[2])
        assert torch.randn(5, generator=generator.manual_seed(7)).equal(noise)
        x = torch.empty(1000).uniform_(-2, 1)
        assert -2 <= x.min() < -1.9 and 0.9 < x.max() < 1
        there = torch.empty(3, device="meta")
        assert torch.randn_like(there).device.type == "meta"
    assert torch.rand is before
