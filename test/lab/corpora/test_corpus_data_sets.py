"""Data sets of Hugging Face and lhotse as corpora, made by their own packages."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import soundfile
from corpus_case import RATE, noise, table, write

from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.lab.corpora.tables import main, write_tables


def encode(samples, rate=RATE, form="FLAC"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form)
    return file.getvalue()


@pytest.fixture
def datasets(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return pytest.importorskip("datasets", reason="extra datasets", minversion="4")


@pytest.fixture
def lhotse():
    return pytest.importorskip("lhotse", reason="extra lhotse")


@pytest.fixture
def rows(datasets, tmp_path):
    """Four rows: audio in the row, of 8 and 16 kHz, in a file, and damaged."""
    write(tmp_path / "wav/d.wav", noise(0.5, seed=3))
    audio = [
        {"bytes": encode(noise(0.5)), "path": "a.flac"},
        {"bytes": encode(noise(0.5, rate=8000), 8000, "OGG"), "path": "a.ogg"},
        {"bytes": b"no audio at all", "path": "c.wav"},
        {"bytes": None, "path": str(tmp_path / "wav/d.wav")},
    ]
    columns = dict(audio=audio, sentence=["one", None, "three", "four"])
    return datasets.Dataset.from_dict({**columns, "speaker_id": [1, 1, 2, 2]})


def save(form, rows, datasets, folder):
    """Splits train and validation."""
    rows = rows.cast_column("audio", datasets.Audio())
    splits = {"train": rows, "validation": rows}
    if form == "saved":
        for name, own in splits.items():
            own.save_to_disk(folder / name)
        names = '{"splits": ["train", "validation"]}'
        (folder / "dataset_dict.json").write_text(names)
        return
    (folder / "data").mkdir(parents=True)
    for name, own in splits.items():
        own.to_parquet(folder / f"data/{name}-00000-of-00001.parquet")


@pytest.mark.parametrize("form", ["saved", "parquet"])
def test_data_set_of_hugging_face_is_a_corpus(prepare, rows, datasets, tmp_path, form):
    save(form, rows, datasets, tmp_path / "in")
    result = prepare(tmp_path / "in")
    assert result.status == 0, result.words
    assert result.skipped() == {"2-c": "not audio", "2-c-2": "not audio"}
    assert sorted(result.splits["dev"]) == ["1-a-3", "1-a-4", "2-d-2"]
    known = {**table(result.out / "train/text"), **table(result.out / "test/text")}
    assert known == {"1-a": "one", "1-a-2": "<unk>", "2-d": "four"}
    heard, rate = soundfile.read(result.wavs["1-a-3"], dtype="float32")
    np.testing.assert_allclose(heard, noise(0.5), atol=1e-4)
    assert rate == RATE
    if form == "parquet":
        assert result.wavs["2-d"] == str(tmp_path / "wav/d.wav")


def test_tables_of_a_data_set(rows, datasets, tmp_path, capsys):
    save("parquet", rows, datasets, tmp_path / "in")
    main([f"hf:{tmp_path}/in:train", str(tmp_path / "out")])
    wavs = table(tmp_path / "out/wav.scp")
    assert wavs["2-d"] == str(tmp_path / "wav/d.wav")
    assert soundfile.info(wavs["1-a-2"]).samplerate == 8000
    assert table(tmp_path / "out/utt2spk") == {"1-a": "1", "1-a-2": "1", "2-d": "2"}
    assert "2-c" in (tmp_path / "out/skipped.tsv").read_text()
    assert len(read_data_folder(tmp_path / "out/wav.scp")) == 3
    assert "3 utterances, 1 skipped" in capsys.readouterr().out


def test_tables_name_no_missing_file(tmp_path):
    write(tmp_path / "in/a.wav", noise(0.5))
    (tmp_path / "in/metadata.csv").write_text("file_name\na.wav\nb.wav\n")
    assert "1 utterances, 1 skipped" in write_tables(tmp_path / "in", tmp_path / "out")
    assert list(table(tmp_path / "out/wav.scp").values()) == [f"{tmp_path}/in/a.wav"]
    assert "b.wav" in (tmp_path / "out/skipped.tsv").read_text()
    (tmp_path / "in/a.wav").unlink()
    with pytest.raises(ValueError, match="in/a.wav: .*no such audio file"):
        write_tables(tmp_path / "in", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(OSError, match="metadata.csv.*folder"):
        write_tables(tmp_path / "in", tmp_path / "in/metadata.csv")


def test_audio_in_a_data_set_must_be_written_first(rows, datasets, tmp_path):
    save("parquet", rows, datasets, tmp_path / "in")
    with pytest.raises(ValueError, match="corpora.tables .*in OUT"):
        read_data_folder(f"hf:{tmp_path}/in:train")
    with pytest.raises(ValueError, match="found train, validation"):
        read_data_folder(tmp_path / "in")
    with pytest.raises(ValueError, match="hf::train: .*no name"):
        read_data_folder("hf::train")
    with pytest.raises(ValueError, match="split no, found train, validation"):
        read_data_folder(f"hf:{tmp_path}/in:no")


def test_no_script_of_a_data_set_runs(datasets, tmp_path, prepare):
    script = tmp_path / "in/in.py"
    script.parent.mkdir()
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    result = prepare(f"hf:{tmp_path}/in")
    assert result.status == 1 and str(tmp_path / "in") in result.words
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("package", ["datasets", "lhotse"])
def test_missing_packages_are_named(tmp_path, monkeypatch, package, prepare):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "in").mkdir()
    (
        tmp_path / "in/state.json"
        if package == "datasets"
        else tmp_path / "in/cuts.000000.jsonl.gz"
    ).touch()
    result = prepare(tmp_path / "in")
    assert result.status == 1 and f"espnet_uniwav[{package}]" in result.words


def make_cuts(lhotse, folder):
    """Two cuts of a recording with their words, and one of all of another."""
    write(folder / "long.wav", noise(2.0))
    write(folder / "short.wav", noise(0.5, seed=1))
    cuts = []
    for name, parts in {"long": [(0, 0.5), (1, 0.75)], "short": [(0, 0.5)]}.items():
        recording = lhotse.Recording.from_file(folder / f"{name}.wav")
        whole = lhotse.MonoCut(name, 0, recording.duration, 0, recording=recording)
        for start, duration in parts:
            cut = whole.truncate(offset=start, duration=duration, preserve_id=True)
            cut.id = f"{name}{start}"
            about = dict(recording_id=name, start=0, duration=duration)
            own = lhotse.SupervisionSegment(
                cut.id, **about, speaker=f"spk{start}", text=f"words of {cut.id}"
            )
            cut.supervisions = [own]
            cuts.append(cut)
    return lhotse.CutSet.from_cuts(cuts)


def test_manifest_of_lhotse_is_a_corpus(prepare, lhotse, tmp_path):
    cuts = make_cuts(lhotse, tmp_path)
    cuts.to_file(tmp_path / "cuts.jsonl.gz")
    result = prepare(tmp_path / "cuts.jsonl.gz")
    assert sorted(result.wavs) == ["spk0-long0", "spk0-short0", "spk1-long1"]
    assert result.wavs["spk0-short0"] == str(tmp_path / "short.wav")
    heard, _ = soundfile.read(result.wavs["spk1-long1"], dtype="float32")
    np.testing.assert_allclose(heard, noise(2.0)[RATE : RATE + 12000], atol=1e-4)
    write_tables(tmp_path / "cuts.jsonl.gz", tmp_path / "tables")
    segments = table(tmp_path / "tables/segments")
    assert segments["spk1-long1"] == "spk0-long0 1.0 1.75"
    found = {u.name: u for u in read_data_folder(tmp_path / "tables/wav.scp")}
    assert found["spk1-long1"].text == "words of long1"
    assert not (tmp_path / "tables/audio").exists()


def test_manifests_of_a_folder_are_splits(prepare, lhotse, tmp_path):
    cuts = make_cuts(lhotse, tmp_path)
    (tmp_path / "in").mkdir()
    cuts.subset(first=2).to_file(tmp_path / "in/x_cuts_train-clean.jsonl.gz")
    cuts.subset(last=1).to_file(tmp_path / "in/x_cuts_dev.jsonl.gz")
    result = prepare(tmp_path / "in")
    assert list(result.splits["dev"]) == ["spk0-short0"]


def test_shar_folder_is_a_corpus(prepare, lhotse, tmp_path):
    cuts = make_cuts(lhotse, tmp_path)
    (tmp_path / "shar").mkdir()
    cuts.to_shar(tmp_path / "shar", fields={"recording": "flac"}, shard_size=2)
    result = prepare(tmp_path / "shar")
    assert sorted(result.wavs) == ["spk0-long0", "spk0-short0", "spk1-long1"]
    heard, _ = soundfile.read(result.wavs["spk1-long1"], dtype="float32")
    np.testing.assert_allclose(heard, noise(2.0)[RATE : RATE + 12000], atol=1e-4)
    (tmp_path / "shar/recording.000001.tar").unlink()
    result = prepare(tmp_path / "shar")
    assert result.status == 1 and "shar: expected a recording" in result.words
