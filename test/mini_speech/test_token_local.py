"""The token1 recipe's own script: what is encoded, and in whose voice it is decoded."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from corpus_case import noise, write

from espnet_uniwav.kaldi import read_table
from espnet_uniwav.tokenizer.files import CodeWriter
from espnet_uniwav.tts.lines import read_lines

LOCAL = Path(__file__).parents[2] / "egs2/mini_speech/token1/local"
SPEAKERS = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "c1": "c"}


@pytest.fixture
def run(monkeypatch):
    """Runs the script in this process."""
    monkeypatch.syspath_prepend(str(LOCAL))

    def run(*argv, script="lines"):
        monkeypatch.setattr(sys, "argv", [script, *map(str, argv)])
        importlib.import_module(script).main()

    yield run
    for script in ("lines", "sizes"):
        sys.modules.pop(script, None)


@pytest.fixture
def data(tmp_path):
    """Five utterances of three speakers; c has no second one."""
    tables = {"wav.scp": "", "text": "", "utt2spk": ""}
    for seed, (name, speaker) in enumerate(SPEAKERS.items()):
        write(tmp_path / f"{name}.wav", noise(2.5, seed=seed))
        tables["wav.scp"] += f"{name} {tmp_path / name}.wav\n"
        tables["text"] += f"{name} ONE TWO THREE\n"
        tables["utt2spk"] += f"{name} {speaker}\n"
    for name, table in tables.items():
        (tmp_path / name).write_text(table)
    return tmp_path


def test_voices(run, data):
    run(data, data / "out")
    own = {
        line.name: Path(line.prompt).stem for line in read_lines(data / "out/lines.tsv")
    }
    assert own == {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    for line in read_lines(data / "out/voices.tsv"):
        assert Path(line.prompt).stem[0] != line.speaker
        assert read_table(data / "out/voices.scp")[line.name] == line.prompt
    assert list(read_table(data / "out/wav.scp")) == ["a1", "a2", "b1", "b2"]


def test_sizes(run, data, capsys):
    with CodeWriter(data / "codes", 2) as writer:
        for name in SPEAKERS:
            writer.write(name, np.full((2, 125), 1023))
    run(data / "wav.scp", data / "codes", script="sizes")
    said = capsys.readouterr().out
    assert "5 utterances, 12 s" in said
    rows = [line.strip("| ").split(" | ") for line in said.splitlines()[4:]]
    rate = {name: float(kbits) for name, _, kbits in rows}
    assert rate["wav, 16 bit"] == pytest.approx(256, abs=0.5)
    assert rate[f"{data / 'codes'}, packed"] == pytest.approx(1.0, abs=0.01)
    CodeWriter(data / "empty", 2)
    with pytest.raises(ValueError, match="lacks 5 of 5 names"):
        run(data / "wav.scp", data / "empty", script="sizes")


def test_number_of_lines(run, data):
    run(data, data / "out", "--num_lines", 2)
    assert len(read_lines(data / "out/lines.tsv")) == 2


def test_one_speaker_has_no_other_voice(run, data):
    (data / "utt2spk").write_text("".join(f"{name} a\n" for name in SPEAKERS))
    run(data, data / "out")
    assert not (data / "out/voices.tsv").exists()


def test_nobody_to_compare_with(run, data):
    (data / "text").write_text("".join(f"{name} HI\n" for name in SPEAKERS))
    with pytest.raises(ValueError, match="no utterance has 3 words"):
        run(data, data / "out")
