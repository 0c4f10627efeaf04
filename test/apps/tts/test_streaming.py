"""Speech that can be heard before all of it is computed."""

import io
import os

import numpy as np
import pytest

from espnet_uniwav.apps.tts import speaking
from espnet_uniwav.apps.tts.streaming import write_stream
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.io.audio import read_speech

QUICK = dict(num_steps=2, method="euler")
TEXT = "ABC\nBD\nCAD"
RATE = 16000


def test_chunks_are_the_speech(synthesizer):
    chunks = list(synthesizer.stream(TEXT, seconds=1.5, **QUICK))
    assert len(chunks) == 3
    whole = synthesizer(TEXT, seconds=1.5, **QUICK)
    assert np.array_equal(np.concatenate(chunks), whole)
    (one,) = synthesizer.stream("AB", **QUICK)
    assert np.array_equal(one, synthesizer("AB", **QUICK))


def test_durations_of_phones(synthesizer):
    assert len(synthesizer(phones="A B", durations="5 7", **QUICK)) == 12 * 320
    with pytest.raises(ValueError, match="durations: expected whole .*found 'a'"):
        synthesizer(phones="A B", durations="a b", **QUICK)


def test_the_first_chunk_comes_before_the_last_sentence(synthesizer, monkeypatch):
    spoken, speak = [], Synthesizer.speak

    def listen(self, names, *args, **more):
        spoken.append("".join(names))
        return speak(self, names, *args, **more)

    monkeypatch.setattr(Synthesizer, "speak", listen)
    stream = synthesizer.stream(TEXT, **QUICK)
    assert spoken == []
    next(stream)
    assert spoken == ["ABC"]
    list(stream)
    assert spoken == ["ABC", "BD", "CAD"]
    for bad in ("AB\nAX", "AB\n\0", " "):
        with pytest.raises(ValueError, match="tokens of the model|U.0000|empty"):
            synthesizer.stream(bad, **QUICK)
    assert len(spoken) == 3


def test_a_pipe_holds_wav_and_nothing_else(
    synthesizer, monkeypatch, capfdbinary, caplog, tmp_path
):
    def load(*args):
        print("a message of ESPnet")
        return synthesizer

    monkeypatch.setattr(Synthesizer, "from_pretrained", load)
    assert speaking.synthesize("m", "-", TEXT, **QUICK) is None
    out, err = capfdbinary.readouterr()
    assert b"a message of ESPnet" in err and b"s spoken" in err
    (tmp_path / "a.wav").write_bytes(out)
    speaking.synthesize("m", tmp_path / "b.wav", TEXT, **QUICK)
    a, b = (read_speech(tmp_path / name, RATE) for name in ("a.wav", "b.wav"))
    assert np.array_equal(a, b) and "is cut off" not in caplog.text
    with pytest.raises(ValueError, match="folder for --lines"):
        speaking.synthesize("m", "-", lines=tmp_path / "lines.tsv")


def test_nothing_is_written_before_the_first_chunk():
    def fail():
        raise ValueError("no")
        yield

    output = io.BytesIO()
    with pytest.raises(ValueError):
        write_stream(output, fail(), RATE)
    with pytest.raises(ValueError, match="NaN"):
        write_stream(output, [np.full(9, np.nan)], RATE)
    assert output.getvalue() == b""


def test_a_player_that_stops_ends_it():
    asked = []

    def chunks():
        for number in range(5):
            asked.append(number)
            yield np.zeros(10, np.float32)

    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        assert write_stream(output, chunks(), RATE) == 0
    assert asked == [0]
