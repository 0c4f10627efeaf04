"""What is encoded to be scored, and whose voice is to be heard."""

from pathlib import Path

import numpy as np
import pytest
from corpus_case import noise, write
from factories import write_tables

from espnet_uniwav.apps.tokenizer import pick_lines
from espnet_uniwav.apps.tts.lines import read_lines
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import read_table

SPEAKERS = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "c1": "c"}


def run(*argv):
    pick_lines.main([str(word) for word in argv])


@pytest.fixture
def data(tmp_path):
    """Five utterances of three speakers; c has no second one."""
    for seed, name in enumerate(SPEAKERS):
        write(tmp_path / f"{name}.wav", noise(2.5, seed=seed))
    paths = {name: f"{tmp_path / name}.wav" for name in SPEAKERS}
    texts = dict.fromkeys(SPEAKERS, "ONE TWO THREE")
    write_tables(tmp_path, {"wav.scp": paths, "text": texts, "utt2spk": SPEAKERS})
    return tmp_path


def test_voices(data):
    run(data, data / "out")
    own = {
        line.name: Path(line.prompt).stem for line in read_lines(data / "out/lines.tsv")
    }
    assert own == {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    for line in read_lines(data / "out/voices.tsv"):
        assert Path(line.prompt).stem[0] != line.speaker
        assert read_table(data / "out/voices.scp")[line.name] == line.prompt
    assert list(read_table(data / "out/wav.scp")) == ["a1", "a2", "b1", "b2"]


def test_stretches_of_a_recording_become_files(data):
    whole = np.concatenate([noise(2.5, seed=i) for i in range(5)])
    write(data / "whole.wav", whole)
    (data / "wav.scp").write_text(f"r {data}/whole.wav\n")
    lines = (f"{name} r {2.5 * i} {2.5 * i + 2.5}\n" for i, name in enumerate(SPEAKERS))
    (data / "segments").write_text("".join(lines))
    run(data, data / "out")
    tables = {name: read_table(data / f"out/{name}.scp") for name in ("wav", "voices")}
    assert list(tables["wav"]) == ["a1", "a2", "b1", "b2"]
    for line in read_lines(data / "out/lines.tsv"):
        assert line.reference == tables["wav"][line.name]
        place = 40000 * list(SPEAKERS).index(line.name)
        expected = whole[place : place + 40000]
        np.testing.assert_allclose(
            read_speech(line.reference, 16000), expected, atol=1e-4
        )
    assert all(Path(path).is_file() for path in tables["voices"].values())


def test_number_of_lines(data):
    run(data, data / "out", "--num_lines", 2)
    assert len(read_lines(data / "out/lines.tsv")) == 2


def test_one_speaker_has_no_other_voice(data):
    (data / "utt2spk").write_text("".join(f"{name} a\n" for name in SPEAKERS))
    run(data, data / "out")
    assert not (data / "out/voices.tsv").exists()


def test_nobody_to_compare_with(data):
    (data / "text").write_text("".join(f"{name} HI\n" for name in SPEAKERS))
    with pytest.raises(SystemExit, match="no utterance has 3 words"):
        run(data, data / "out")
