"""Data sets of lhotse and Hugging Face in place of a wav.scp, without packages."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import soundfile

from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.data_sets import find_data_set
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.io.pipe import ALLOW, Pipe
from espnet_uniwav.io.source import Stretch

RATE = 16000


@pytest.fixture
def stereo(tmp_path):
    """Two seconds whose channels differ."""
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, (2 * RATE, 2))
    soundfile.write(tmp_path / "call.wav", samples, RATE, subtype="FLOAT")
    return samples.astype(np.float32)


def cut(name, start=0.0, duration=2.0, kind="file", source="call.wav", **more):
    """As lhotse stores a MonoCut of the first channel."""
    sources = [dict(type=kind, channels=[0, 1], source=source)]
    recording = dict(id="call", sources=sources, sampling_rate=RATE, duration=2.0)
    recording |= dict(num_samples=2 * RATE, channel_ids=[0, 1])
    own = dict(id=name, start=start, duration=duration, channel=0, type="MonoCut")
    return {**own, "supervisions": [], "recording": recording, **more}


def supervision(name, text, speaker, start=0.0, duration=0.5):
    own = dict(id=name, recording_id="call", channel=0, start=start, duration=duration)
    return {**own, "text": text, "speaker": speaker}


def write_cuts(path, *cuts):
    with gzip.open(path, "wt") as file:
        file.writelines(f"{json.dumps(own)}\n" for own in cuts)
    return path


def test_cuts_are_utterances(tmp_path, stereo):
    first = cut("a b", supervisions=[supervision("s", "some  words", "kim")])
    both = cut("both", type="MultiCut", channel=[0, 1])
    several = [supervision("s1", "x", "lee", 0.25), supervision("s2", "y", "li", -0.1)]
    cuts = first, cut("part", 0.5, 1.0, channel=1), both
    path = write_cuts(
        tmp_path / "cuts.jsonl.gz", *cuts, cut("c", 1, 1, supervisions=several)
    )
    for name in path, path / "wav.scp":
        found = {u.name: u for u in read_data_folder(name)}
        assert list(found) == ["a_b", "part", "both", "s1", "s2"]
    wav = tmp_path / "call.wav"
    assert found["a_b"].path == Stretch(wav, 0.0, None, 0)
    assert (found["a_b"].speaker, found["a_b"].text) == ("kim", "some  words")
    assert found["both"].path == wav
    assert found["s1"].path == Stretch(wav, 1.25, 1.75, 0)
    assert found["s2"].path == Stretch(wav, 1.0, 1.4, 0)
    heard = read_speech(found["part"].path, RATE)
    np.testing.assert_array_equal(heard, stereo[8000:24000, 1])


def test_recordings_are_utterances(tmp_path, stereo):
    recording = cut("a")["recording"]
    path = write_cuts(tmp_path / "recordings.jsonl.gz", recording)
    (found,) = read_data_folder(path)
    assert (found.name, found.path) == ("call", tmp_path / "call.wav")


def test_commands_of_cuts_run_only_if_allowed(tmp_path, stereo, monkeypatch):
    command = dict(kind="command", source=f"cat {tmp_path}/call.wav")
    own = cut("a", **command, type="MultiCut", channel=[0, 1])
    path = write_cuts(tmp_path / "cuts.jsonl.gz", own)
    monkeypatch.delenv(ALLOW, raising=False)
    with pytest.raises(ValueError, match=f"cuts.jsonl.gz: a: .*cat .*{ALLOW}"):
        read_data_folder(path)
    monkeypatch.setenv(ALLOW, "1")
    (found,) = read_data_folder(path)
    assert isinstance(found.path, Pipe)
    assert len(read_speech(found.path, RATE)) == 2 * RATE


def test_a_file_of_a_cut_is_never_a_command(tmp_path, monkeypatch):
    monkeypatch.setenv(ALLOW, "1")
    own = cut("a", source="touch ran |", type="MultiCut", channel=[0, 1])
    monkeypatch.chdir(tmp_path)
    (found,) = read_data_folder(write_cuts(tmp_path / "cuts.jsonl.gz", own))
    with pytest.raises(FileNotFoundError, match="touch ran"):
        read_speech(found.path, RATE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "bad, said",
    [
        (dict(kind="url", source="https://host/a.wav"), "url .*https://host/a.wav"),
        (dict(type="MixedCut"), "MixedCut"),
        (dict(recording=None), "recording"),
        (dict(channel=5), r"channels \[5\]"),
        (dict(start="soon"), "soon"),
        (dict(start=float("nan")), "nan"),
        (dict(duration=-1), "-1.0"),
        (dict(supervisions=[1]), "int"),
        (dict(recording={**cut("a")["recording"], "transforms": [1]}), "transforms"),
    ],
)
def test_cuts_that_are_refused_are_named(tmp_path, stereo, bad, said):
    path = write_cuts(tmp_path / "cuts.jsonl.gz", cut("a"), cut("b", **bad))
    with pytest.raises(ValueError, match=f"cuts.jsonl.gz, line 2.*{said}"):
        read_data_folder(path)


def test_damaged_manifests_are_named(tmp_path, stereo):
    path = write_cuts(tmp_path / "cuts.jsonl.gz", *(cut(str(i)) for i in range(9)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="cuts.jsonl.gz, line"):
        read_data_folder(path)
    for text, line in {"\n{}\n": 2, "[1]\n": 1, "\n\n{": 3}.items():
        (tmp_path / "cuts.jsonl").write_text(text)
        with pytest.raises(ValueError, match=f"cuts.jsonl, line {line}"):
            read_data_folder(tmp_path / "cuts.jsonl")


def test_names_must_differ_and_a_folder_have_one_part(tmp_path, stereo):
    path = write_cuts(tmp_path / "cuts_dev.jsonl.gz", cut("a"), cut("a", 1, 1))
    with pytest.raises(ValueError, match="cuts_dev.jsonl.gz: a is there twice"):
        read_data_folder(path)
    write_cuts(tmp_path / "cuts_train.jsonl.gz", cut("a"))
    with pytest.raises(ValueError, match="found cuts_dev, cuts_train"):
        read_data_folder(tmp_path)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_audio_folder(tmp_path, stereo, form):
    rows = [{"file_name": "call.wav", "transcription": "hi, you", "speaker_id": 3}]
    lines = [json.dumps(row) for row in rows]
    if form == "csv":
        lines = [",".join(rows[0]), 'call.wav,"hi, you",3']
    (tmp_path / f"metadata.{form}").write_text("\n".join(lines) + "\n")
    (found,) = read_data_folder(tmp_path)
    named = f"hf:{tmp_path}:{tmp_path.name}"
    assert [found] == read_data_folder(named) == read_data_folder(f"{named}/wav.scp")
    assert (found.name, found.text, found.speaker) == ("call", "hi, you", "3")
    assert found.path == tmp_path / "call.wav"


def test_other_folders_are_no_data_sets(tmp_path):
    (tmp_path / "metadata.csv").write_text("LJ001|Printing|Printing\n")
    (tmp_path / "notes.jsonl").write_text("{}\n")
    assert find_data_set(tmp_path) is None
    assert find_data_set(tmp_path / "nowhere") is None
