"""The ssl1 recipe's figure of what trainings learn over their cost."""

from __future__ import annotations

import importlib

import pytest
from factories import ROOT

LOCAL = ROOT / "egs2/mini_librispeech/ssl1/local"


@pytest.fixture
def cost(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(LOCAL))
    return importlib.import_module("cost")


def make_step(folder, seconds: str, *epochs: int):
    """A step of a run: its CPU seconds and its saved epochs."""
    folder.mkdir(parents=True)
    (folder / "cpu_seconds").write_text(seconds)
    for epoch in epochs:
        (folder / f"{epoch}epoch.pth").touch()


def test_hours_of_epochs_count_all_steps_before(cost, tmp_path):
    make_step(tmp_path / "labels_1", "100 300 60\n")
    make_step(tmp_path / "iteration_1", "200 3000 240\n300 400 -40\n", 2)
    make_step(tmp_path / "labels_2", "400 30 6\n")
    make_step(tmp_path / "iteration_2", "500 7200 0\n", 1, 2)
    points = list(cost.read_run("hubert", tmp_path))
    assert [(p.epoch, p.model_file.parent.name) for p in points] == [
        (2, "iteration_1"),
        (1, "iteration_2"),
        (2, "iteration_2"),
    ]
    assert [p.hours for p in points] == pytest.approx([1.1, 2.11, 3.11])
    assert points[1].name == "hubert 2.11 h"


def test_a_run_without_its_cost_is_refused(cost, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*cpu_seconds"):
        list(cost.read_run("ours", tmp_path))


@pytest.mark.parametrize("seconds", ["yesterday\n", "", "1 nan 0\n", "inf 1 1\n"])
def test_a_broken_cost_is_refused(cost, tmp_path, seconds):
    make_step(tmp_path / "one", seconds, 1)
    with pytest.raises(ValueError, match=r"one/cpu_seconds.*CPU seconds"):
        list(cost.read_run("ours", tmp_path))


def test_table_and_figure_of_the_best_layers(cost, tmp_path, monkeypatch, capsys):
    make_step(tmp_path / "run", "100 3600 0\n", 1, 2)

    def understand(systems, data, output, **conf):
        """Writes scores as the command does, and no model is loaded."""
        assert [name for name, _ in systems] == ["ours 0.50 h", "ours 1.00 h"]
        output.mkdir()
        for measure, unit in (("mutual_information", 1.0), ("probe", 0.1)):
            rows = [
                {"target": target, "system": system, "layer": layer,
                 "value": value * unit, "low": value * unit - 0.01,
                 "high": value * unit + 0.02}
                | ({"clusters": 64} if unit == 1.0 else {})
                for target, factor in (("phones", 1.0), ("speakers", 5.0))
                for system, best in (("ours 0.50 h", 1.1), ("ours 1.00 h", 1.3),
                                     ("random encoder", 0.9), ("raw features", 1.0))
                for layer, value in (("1", 0.5), ("2", best * factor), ("z", 9.0))
            ]  # fmt: skip
            cost.write_csv(output / f"{measure}.csv", rows)

    monkeypatch.setattr(cost, "understand", understand)
    argv = ["--run", f"ours={tmp_path}/run", "--data", "d", "--fit_data", "d"]
    cost.main([*argv, "--alignment", "a", "b", "--output", str(tmp_path / "out")])
    table = capsys.readouterr().out.splitlines()
    assert table[2:] == [
        "| ours | 1 | 0.50 | 1.10 (1.09 to 1.12), 2 | 11.0 (10.0 to 13.0), 2 |",
        "| ours | 2 | 1.00 | 1.30 (1.29 to 1.32), 2 | 13.0 (12.0 to 15.0), 2 |",
        "| random encoder |  |  | 0.90 (0.89 to 0.92), 2 | 9.0 (8.0 to 11.0), 2 |",
        "| raw features |  |  | 1.00 (0.99 to 1.02), 2 | 10.0 (9.0 to 12.0), 2 |",
    ]
    assert "ours,1,0.5,2,1.1" in (tmp_path / "out/cost.csv").read_text()
    assert (tmp_path / "out/cost.png").read_bytes().startswith(b"\x89PNG")
