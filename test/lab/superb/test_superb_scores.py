"""Scores, the choice of the learning rate, and runs that are not repeated."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from superb_case import RECIPE

from espnet_uniwav.lab.superb import results_table as table
from espnet_uniwav.lab.superb import runs, sweep
from espnet_uniwav.lab.superb.scores import Counts, Trials, equal_error_rate


def test_equal_error_rate_of_known_scores():
    eer = equal_error_rate
    same = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    assert eer(same, np.array([9, 8, 7, 6, 5, 4, 3, 2.0])) == pytest.approx(0)
    assert eer(same, np.array([2, 3, 4, 5, 6, 7, 8, 9.0])) == pytest.approx(100)
    assert eer(same, np.array([9, 8, 7, 3, 6, 2, 1, 0.0])) == pytest.approx(25)
    assert np.isnan(eer(same, np.ones(8), same))


def test_a_weight_is_as_many_equal_trials():
    eer = equal_error_rate
    random = np.random.default_rng(0)
    same, scores = random.integers(2, size=60), random.normal(size=60)
    times = random.integers(4, size=60)
    repeated = eer(np.repeat(same, times), np.repeat(scores, times))
    assert eer(same, scores, times) == pytest.approx(repeated)


def test_speakers_drawn_again_widen_the_interval_of_clustered_errors():
    hits, names = np.repeat([0.0, 1.0, 0.0, 1.0], 25), np.arange(100).astype(str)
    empty = np.full(100, "")
    counts = Counts(hits, np.ones(100), np.repeat(list("abcd"), 25), empty)
    low, high = counts.interval()
    alone_low, alone_high = Counts(hits, np.ones(100), names, empty).interval()
    assert high - low > 2 * (alone_high - alone_low) > 0
    assert counts.rate() == pytest.approx(50)


def test_groups_are_scored_by_themselves():
    groups = np.array(["", "low", "high", "low"])
    counts = Counts(np.array([1.0, 2, 3, 4]), np.full(4, 10.0), groups, groups)
    found = {name: (len(own), own.rate()) for name, own in counts.split().items()}
    assert found == {"all": (4, 25.0), "high": (1, 30.0), "low": (2, 30.0)}


def test_interval_of_trials_is_what_it_was():
    random = np.random.default_rng(0)
    speakers = random.choice(list("abcdefgh"), size=(400, 2))
    same = (speakers[:, 0] == speakers[:, 1]).astype(int)
    trials = Trials(same, random.normal(size=400) + same, speakers)
    assert trials.rate() == pytest.approx(27.6056338)
    assert trials.interval() == pytest.approx((15.4670139, 37.5))


def test_choice_takes_the_first_best_and_never_a_nan():
    choose = sweep.choose
    nan = float("nan")
    assert choose({1e-2: nan, 1e-3: 30.0, 1e-4: 30.0}, False) == 1e-3
    assert choose({1e-2: 10.0, 1e-3: 30.0, 1e-4: nan}, True) == 1e-3


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_layer_weights_are_read_without_pickle(tmp_path):
    saved = {
        "Args": argparse.Namespace(mode="train"),
        "Featurizer": {"weights": torch.tensor([0.0, 1.0])},
    }
    path = tmp_path / "dev-best.ckpt"
    torch.save(saved, path)
    assert runs.read_layer_weights(path) == [0.2689, 0.7311]
    torch.save({**saved, "more": Canary(tmp_path / "sung")}, path)
    with pytest.raises(ValueError, match="dev-best.ckpt: expected weights alone"):
        runs.read_layer_weights(path)
    assert not (tmp_path / "sung").exists()


def write_task(data, task="pr"):
    """Four utterances of two speakers in each of dev and test."""
    rows = ["name\tutt\tspeaker\tsplit\tgroup"]
    for split in ("dev", "test"):
        for i in range(4):
            group = "low" if i < 2 else "high"
            rows.append(f"{split}{i}\t{split}{i}\t{group}\t{split}\t{group}")
    (data / task).mkdir(parents=True)
    (data / task / "utterances.tsv").write_text("\n".join(rows) + "\n")


class FakeHarness:
    """Takes the place of S3PRL: the larger the learning rate, the more errors."""

    def __init__(self):
        self.calls = []

    def __call__(self, args, expert, log):
        folder = Path(args[args.index("-p") + 1])
        mode = args[args.index("-m") + 1]
        split = args[args.index("-t") + 1] if mode == "evaluate" else "train"
        config = yaml.safe_load(Path(args[args.index("-c") + 1]).read_text())
        lr, seed = config["optimizer"]["lr"], int(args[args.index("--seed") + 1])
        self.calls.append((folder.parent.name, lr, seed, split))
        if split == "train":
            featurizer = {"weights": torch.tensor([0.0, 1.0])}
            torch.save({"Featurizer": featurizer}, folder / "dev-best.ckpt")
            return
        wrong = {1e-3: 2, 1e-2: 3, 1e-4: 4}[lr] + seed
        right = ["A", "B", "C", "D", "E"]
        words = ["X"] * min(wrong, 5) + right[wrong:]
        for kind, line in (("hyp", words), ("ref", right)):
            text = "".join(f"{split}{i} {' '.join(line)}\n" for i in range(4))
            (folder / f"{split}-{kind}.ark").write_text(text)


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """A function that sweeps with the fake harness, and that harness."""
    fake = FakeHarness()
    monkeypatch.setattr(runs, "run_downstream", fake)
    runs.fingerprint.cache_clear()
    write_task(tmp_path / "data")
    shutil.copytree(RECIPE / "conf", tmp_path / "conf")

    def run(*options, upstreams=("fbank=fbank",)):
        argv = [tmp_path / "data", tmp_path / "exp", "--tasks", "pr"]
        argv += ["--conf", tmp_path / "conf", "--steps", 8, *options]
        argv += ["--upstreams", *upstreams]
        sweep.main([str(value) for value in argv])

    return run, fake


LRS = ("--lrs", "1e-2", "1e-3", "1e-4")


def test_the_best_rate_on_dev_alone_sees_test(setting, tmp_path):
    sweep, fake = setting
    sweep(*LRS, "--seeds", 0, 1)
    tested = [call for call in fake.calls if call[-1] == "test"]
    assert tested == [("fbank", 1e-3, 0, "test"), ("fbank", 1e-3, 1, "test")]
    trained = [call[1:3] for call in fake.calls if call[-1] == "train"]
    assert trained == [(1e-2, 0), (1e-3, 0), (1e-4, 0), (1e-3, 1)]
    chosen = json.loads((tmp_path / "exp/pr/fbank/chosen.json").read_text())
    assert chosen["lr"] == 1e-3
    assert chosen["dev"] == {"0.01": 60.0, "0.001": 40.0, "0.0001": 80.0}


def test_a_finished_run_is_not_repeated_and_an_interrupted_one_is(setting, tmp_path):
    sweep, fake = setting
    sweep(*LRS)
    fake.calls.clear()
    sweep(*LRS)
    assert fake.calls == []
    run = tmp_path / "exp/pr/fbank/lr0.01_seed0_steps8"
    (run / "result.json").unlink()
    (run / "left_over").touch()
    sweep(*LRS)
    assert fake.calls == [("fbank", 1e-2, 0, "train"), ("fbank", 1e-2, 0, "dev")]
    assert not (run / "left_over").exists()


@pytest.mark.parametrize("what", ["config", "utterances", "upstream"])
def test_a_finished_run_of_other_settings_is_refused(setting, tmp_path, what):
    sweep, fake = setting
    model = tmp_path / "model"
    model.write_text("one")
    upstreams = (f"ours=some_local:{model}",)
    sweep(*LRS, upstreams=upstreams)
    fake.calls.clear()
    if what == "config":
        conf = tmp_path / "conf/pr.yaml"
        conf.write_text(conf.read_text().replace("batch_size: 8", "batch_size: 9"))
    elif what == "upstream":
        model.write_text("two")
    else:
        table = tmp_path / "data/pr/utterances.tsv"
        table.write_text(table.read_text().replace("dev0", "dev9"))
    runs.fingerprint.cache_clear()
    with pytest.raises(SystemExit, match=f"was run with another {what}: name another"):
        sweep(*LRS, upstreams=upstreams)
    assert fake.calls == []


def test_a_packaged_model_counts_by_its_content(packaged, tmp_path):
    fingerprint, folder = runs.fingerprint, tmp_path / "models/tiny-test"
    first = fingerprint("tiny-test")
    assert first == fingerprint(str(folder))
    (folder / "config.yaml").write_text("model: {}")
    fingerprint.cache_clear()
    assert fingerprint("tiny-test") != first


def test_table_has_a_cell_for_every_group_and_all_runs(setting, tmp_path, capsys):
    sweep, _ = setting
    sweep(*LRS, "--seeds", 0, 1, upstreams=("fbank=fbank", "other=other"))
    capsys.readouterr()
    exp = tmp_path / "exp"
    table.main([str(tmp_path / "data"), str(exp)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("| group | fbank | other |")
    assert "| PR | PER % | all | 50.00 (50.00 to 50.00) |" in lines[2]
    assert [line.split("|")[3].strip() for line in lines[2:5]] == ["all", "high", "low"]
    assert "0.001 of 0.0001, 0.001, 0.01; 8 steps, 2 seeds" in lines[5]
    with open(exp / "runs.csv", newline="") as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == 8
    chosen = [row for row in runs if row["chosen"] == "yes"]
    assert {(row["lr"], row["test_PER"]) for row in chosen} == {
        ("0.001", "40.0"),
        ("0.001", "60.0"),
    }
    assert all(not row["test_PER"] for row in runs if row["chosen"] == "no")
    assert {row["layer_weights"] for row in runs} == {"0.2689 0.7311"}


@pytest.mark.parametrize(
    "options, words",
    [
        (("--upstreams", "fbank"), "expected NAME=UPSTREAM"),
        (("--upstreams", "a=fbank", "a=mfcc"), "names must differ"),
        (("--upstreams", "a=some_local:/no/such"), "/no/such is missing"),
        (("--upstreams", "a=fbank", "--steps", "0"), "expected 1 or more"),
        (("--upstreams", "a=fbank", "--lrs", "-1"), "expected numbers above 0"),
    ],
)
def test_bad_options_are_one_line(tmp_path, options, words):
    argv = [str(tmp_path), str(tmp_path / "exp"), *options]
    with pytest.raises(SystemExit, match=words) as ended:
        sweep.main(argv)
    assert len(ended.value.code.splitlines()) == 1


def test_a_table_without_runs_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="no finished sweep: run stage 2"):
        table.main([str(tmp_path), str(tmp_path)])
