"""The check of a GPU, rehearsed on the CPU with even smaller settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from factories import make_decoder

pytest.importorskip("espnet2")
from test_docs import ROOT  # noqa: E402

from espnet_uniwav.lab.benchmark import (
    check_training,  # noqa: E402
    gpu_check,  # noqa: E402
)
from espnet_uniwav.lab.benchmark.cpu_draws import cpu_draws  # noqa: E402
from espnet_uniwav.lab.benchmark.plan import PLANS, Size  # noqa: E402

CONF = ROOT / "egs2/mini_speech/ssl1/conf"
SMALL = replace(
    PLANS["cpu"],
    sizes=tuple(Size(name, "2x64", 1) for name in ("tiny", "base", "large")),
    compared=(1, 0.4),
    seconds=0.4,
    num_steps=2,
    conf=CONF,
)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(PLANS, "cpu", SMALL)
    options = dict(check_training.OPTIONS)
    del options["compile"]  # takes half a minute; the layers are tested by themselves
    monkeypatch.setattr(check_training, "OPTIONS", options)


def run(tmp_path, *options):
    output = tmp_path / "gpu.md"
    argv = ["--device", "cpu", "--conf", str(CONF), "--output", str(output)]
    gpu_check.main([*argv, *options])
    return output.read_text()


def test_every_part_passes_on_the_cpu(small, tmp_path):
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
    assert "| largest batch | 1 s of audio or more |" in checks
    assert "| equal tokens | 100.00% |" in checks
    assert "failed" not in text and "WRONG" not in text


def test_a_wrong_loss_is_reported(small, tmp_path, monkeypatch, capsys):
    found = check_training.take_reference(SMALL, SMALL.sizes[0])
    wrong = found._replace(losses=[2 * loss for loss in found.losses])
    monkeypatch.setattr(check_training, "take_reference", lambda plan, size: wrong)
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, "--parts", "sizes")
    assert ended.value.code == 1 and "WRONG" in capsys.readouterr().out


def test_a_part_that_fails_does_not_stop_the_others(small, tmp_path, monkeypatch):
    def fail(plan):
        raise RuntimeError("no kernel\nat all")

    monkeypatch.setattr(check_training, "check_options", fail)
    with pytest.raises(SystemExit):
        run(tmp_path, "--parts", "options", "tokens")
    text = (tmp_path / "gpu.md").read_text()
    assert "| options | failed: RuntimeError: no kernel |" in text
    assert "| equal tokens | 100.00% |" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_said():
    with pytest.raises(SystemExit, match="--device cpu"):
        gpu_check.main([])


@pytest.mark.parametrize("limit", (0, 1, 2, 3, 7, 100, 500, 4096))
def test_the_largest_batch_is_found_to_an_eighth(limit):
    tried = []

    def fits(number):
        tried.append(number)
        return number <= limit

    found = check_training.search(fits, 1000)
    assert found <= limit and found >= min(limit, 1000) * 7 // 8
    assert max(tried) <= 1000 and len(tried) < 16


def test_memory_that_runs_out_is_no_error(monkeypatch):
    class System:
        optimizer = torch.optim.SGD(make_decoder().parameters(), lr=0.1)
        setting = SMALL.setting(SMALL.sizes[0], "fp32")

        def set_audio(self, setting):
            assert setting.batch == 3

        def step(self, batch):
            raise torch.OutOfMemoryError("CUDA out of memory")

    assert check_training.fits(SMALL, System(), 3) is False


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
