"""Data of a training that ESPnet would take as they are."""

import logging

import numpy as np
import pytest
import soundfile
from espnet2.tasks.asr import ASRTask
from espnet2.tasks.ssl import SSLTask
from espnet_case import asr_conf, make_args, parse

GOOD = ("good", {"speech": np.ones(800, np.float32)})
EMPTY = ("empty-one", {"speech": np.zeros(0, np.float32)})


@pytest.mark.parametrize("train", [True, False])
def test_an_utterance_without_samples_is_named(tmp_path, train):
    collate = SSLTask.build_collate_fn(make_args(tmp_path), train)
    names, batch = collate([GOOD, GOOD])
    assert names == ["good", "good"] and batch["speech"].shape == (2, 800)
    with pytest.raises(ValueError, match="empty-one: expected speech, found 0 samples"):
        collate([GOOD, EMPTY])


def test_tasks_without_a_part_of_ours_are_as_they_were(tmp_path):
    args = make_args(tmp_path)
    args.frontend = "default"
    assert type(SSLTask.build_collate_fn(args, True)).__module__.startswith("espnet2")


def test_a_downstream_task_checks_too(tmp_path):
    collate = ASRTask.build_collate_fn(parse(ASRTask, tmp_path, asr_conf()), True)
    with pytest.raises(ValueError, match="empty-one: expected speech"):
        collate([GOOD, EMPTY])


@pytest.mark.parametrize("rate, warns", [(8000, True), (16000, False)])
def test_another_rate_than_fs_is_told(tmp_path, caplog, rate, warns):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), rate)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\nb {tmp_path}/gone.wav\n")
    args = make_args(tmp_path)
    table = f"{tmp_path}/wav.scp"
    args.train_data_path_and_name_and_type = [(table, "speech", "sound")]
    args.valid_data_path_and_name_and_type = [("/nowhere", "speech", "sound")]
    with caplog.at_level(logging.WARNING):
        SSLTask.build_collate_fn(args, False)
        assert not caplog.records
        SSLTask.build_collate_fn(args, True)
    said = f"{table}: its first recording, {tmp_path}/a.wav, has 8000 samples"
    assert (said in caplog.text) == warns and len(caplog.records) == warns


@pytest.mark.parametrize("table", ["", "a\n", "a cat x.wav |\n", "a nowhere.wav\n"])
def test_tables_that_tell_no_rate(tmp_path, caplog, table):
    (tmp_path / "wav.scp").write_text(table)
    args = make_args(tmp_path)
    path = f"{tmp_path}/wav.scp"
    args.train_data_path_and_name_and_type = [(path, "speech", "sound")]
    SSLTask.build_collate_fn(args, True)
    assert not caplog.records
