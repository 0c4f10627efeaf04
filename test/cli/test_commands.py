import pytest
from factories import ROOT, command

from espnet_uniwav.cli import hook

config, size = command("config"), command("size")
CONF = ROOT / "egs2/mini_speech/ssl1/conf"


def test_size_counts_what_the_formula_says(capsys):
    size([str(CONF / "train_base.yaml")])
    rows = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    parameters = float(rows["encoder"].split()[0]) * 1e6
    layers = 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert parameters == pytest.approx(layers, rel=0.06)
    ops = float(rows["encoder"].split()[2]) * 1e9
    # 50 frames per second; attention adds 2 T D per frame and layer, T = 500.
    assert ops == pytest.approx(50 * (parameters + 12 * 2 * 500 * 768), rel=0.03)


def test_size_of_the_largest_allocates_nothing(capsys):
    size([str(CONF / "train_large.yaml"), "--seconds", "600"])
    assert "308.6 M" in capsys.readouterr().out


def test_the_hook_is_installed_and_removed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hook.sysconfig, "get_path", lambda name: str(tmp_path))
    for action, expected in (
        ("status", False),
        ("install", True),
        ("install", True),
        ("remove", False),
        ("remove", False),
    ):
        command("hook")([action])
        assert hook.hook_path().exists() is expected
    assert "not installed" in capsys.readouterr().out


def test_the_line_of_the_hook_registers(monkeypatch):
    from espnet_uniwav import plugin

    calls = []
    monkeypatch.setattr(plugin, "register", lambda: calls.append(1))
    exec(hook.LINE)
    assert calls == [1]


def test_config_prints_yaml_that_espnet_reads(capsys):
    config([str(CONF / "tuning/train_tiny_dinosr.yaml")])
    out = capsys.readouterr().out
    assert "include" not in out and "dinosr" in out and "flow_matching" not in out
