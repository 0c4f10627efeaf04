"""The librispeech/tts1 recipe's own scripts: data folders, and prompts in one text."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

LOCAL = Path(__file__).parents[2] / "egs2/librispeech/tts1/local"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.syspath_prepend(str(LOCAL))

    def run(name, *argv):
        module = importlib.import_module(name)
        monkeypatch.setattr(sys, "argv", [name, *map(str, argv)])
        module.main()
        return module

    yield run
    for name in ("librispeech", "prompted"):
        sys.modules.pop(name, None)


def test_data_folders(run, tmp_path):
    chapter = tmp_path / "corpus/dev-clean/84/121"
    chapter.mkdir(parents=True)
    for number in (0, 1):
        path = chapter / f"84-121-000{number}.flac"
        soundfile.write(path, np.zeros(8000 + number), 16000)
    (chapter / "84-121.trans.txt").write_text("84-121-0001 YES\n84-121-0000 OH NO\n")
    run("librispeech", tmp_path / "corpus", tmp_path / "out", "dev-clean")
    tables = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert tables["text"] == "84-121-0000 OH NO\n84-121-0001 YES\n"
    assert tables["speech_shape"] == "84-121-0000 8000\n84-121-0001 8001\n"
    assert tables["spk2utt"] == "84 84-121-0000 84-121-0001\n"
    assert f"84-121-0001 {chapter / '84-121-0001.flac'}\n" in tables["wav.scp"]
    with pytest.raises(SystemExit, match="train-clean-100: no .*trans.txt there"):
        run("librispeech", tmp_path / "corpus", tmp_path / "out", "train-clean-100")


def test_prompts_stand_in_front(run, tmp_path):
    pytest.importorskip("pocketsphinx")
    columns = ("name", "text", "prompt", "prompt_text", "reference")
    row = ("a", "no", "/p.wav", "yes", "/r.wav")
    lines = "\n".join("\t".join(cells) for cells in (columns, row)) + "\n"
    (tmp_path / "lines.tsv").write_text(lines)
    run("prompted", tmp_path / "lines.tsv", tmp_path / "out")
    text = (tmp_path / "out/text").read_text()
    assert text == "a SIL Y EH S SIL <sos/eos> SIL N OW SIL\n"
    assert (tmp_path / "out/wav.scp").read_text() == "a /p.wav\n"
