"""Bad and unusual audio: converted, or skipped with its reason."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from corpus_case import RATE, noise, write


def truncate(path, share=0.7):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def spoilt(value):
    samples = noise(1.0)
    samples[500] = value
    return samples


# Kind -> reason, and what writes such a file
BAD = {
    "empty": ("empty", lambda path: path.write_bytes(b"")),
    "header only": ("empty", lambda path: write(path, noise(0.0))),
    "text": ("not audio", lambda path: path.write_text("this is no audio " * 50)),
    "nan": ("not finite", lambda path: write(path, spoilt(np.nan), subtype="FLOAT")),
    "inf": ("not finite", lambda path: write(path, spoilt(np.inf), subtype="FLOAT")),
    "zeros": ("silent", lambda path: write(path, np.zeros(RATE))),
    "constant": ("silent", lambda path: write(path, np.full(RATE, 0.5))),
    "short": ("too short", lambda path: write(path, noise(0.05))),
    "no rest": ("too short", lambda path: truncate(write(path, noise(1.0)), 0.2)),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_skipped_with_its_reason(prepare, corpus, kind):
    reason, make = BAD[kind]
    make(corpus / "bad.wav")
    result = prepare(corpus)
    assert result.status == 0
    assert result.skipped() == {"bad": reason}
    assert len(result.wavs) == 4
    assert f"1 {reason}" in result.words


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_truncated_file_gives_what_there_is(prepare, corpus, suffix):
    samples = noise(2.0)
    truncate(write(corpus / f"cut.{suffix}", samples))
    result = prepare(corpus)
    kept, rate = soundfile.read(result.wavs["cut"], dtype="float32")
    assert result.skipped() == {} and "1 truncated" in result.words
    assert 1.0 < len(kept) / rate < 1.5
    np.testing.assert_allclose(kept, samples[: len(kept)], atol=1e-4)


@pytest.mark.parametrize("rate, channels", [(8000, 1), (44100, 1), (44100, 2)])
def test_other_rates_and_channels_are_converted(prepare, corpus, rate, channels):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    write(corpus / "other.wav", np.stack([tone] * channels, axis=1), rate)
    path = prepare(corpus).wavs["other"]
    header = soundfile.info(path)
    assert (header.samplerate, header.channels, header.format) == (RATE, 1, "FLAC")
    spectrum = np.abs(np.fft.rfft(soundfile.read(path)[0]))
    assert header.frames == RATE and spectrum.argmax() == 440


def test_stereo_is_the_mean_of_its_channels(prepare, corpus):
    stereo = noise(0.5, channels=2)
    write(corpus / "stereo.wav", stereo)
    kept, _ = soundfile.read(prepare(corpus).wavs["stereo"])
    np.testing.assert_allclose(kept, stereo.mean(axis=1), atol=1e-4)


def test_opposite_channels_give_one_of_them(prepare, corpus):
    """Their mean is silent, and would be left out."""
    samples = noise(0.5)
    write(corpus / "stereo.wav", np.stack([samples, -samples], axis=1))
    result = prepare(corpus)
    assert result.skipped() == {} and "1 one channel" in result.words
    kept, _ = soundfile.read(result.wavs["stereo"])
    np.testing.assert_allclose(kept, samples, atol=1e-4)


@pytest.mark.parametrize("size", [0, 1000])
def test_a_header_that_says_too_little_is_mended(prepare, corpus, size):
    """ESPnet would read what the header says: the file is written again."""
    path, samples = corpus / "short.wav", noise(1.0)
    content = bytearray(write(path, samples).read_bytes())
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)
    result = prepare(corpus)
    assert result.skipped() == {} and "1 header mended" in result.words
    kept, _ = soundfile.read(result.wavs["short"])
    np.testing.assert_allclose(kept, samples, atol=1e-4)


def test_float_over_full_scale_is_scaled_down(prepare, corpus):
    samples = noise(0.5)
    write(corpus / "loud.wav", 30000 * samples, subtype="FLOAT")
    kept, _ = soundfile.read(prepare(corpus).wavs["loud"])
    np.testing.assert_allclose(kept, samples / np.abs(samples).max(), atol=1e-4)


def test_clean_files_are_used_where_they_lie(prepare, corpus):
    result = prepare(corpus)
    assert set(result.wavs.values()) == {str(p) for p in corpus.glob("*.wav")}
    assert not list((result.out / "audio").iterdir())


def test_ten_minutes_are_cut_into_pieces(prepare, corpus):
    samples = noise(600)
    samples[100 * RATE : 140 * RATE] = 0
    write(corpus / "long.flac", samples)
    result = prepare(corpus, "--max_seconds", 20)
    pieces = sorted(utt for utt in result.wavs if utt.startswith("long-p"))
    assert pieces[0] == "long-p0001" and pieces[-1] == "long-p0030"
    assert result.skipped() == {"long-p0006": "silent", "long-p0007": "silent"}
    assert all(soundfile.info(result.wavs[utt]).frames == 20 * RATE for utt in pieces)
    homes = [name for name, part in result.splits.items() if pieces[0] in part]
    assert all(utt in result.splits[homes[0]] for utt in pieces)


def test_warns_when_most_is_lost(prepare, corpus):
    for number in range(5):
        (corpus / f"bad{number}.wav").write_bytes(b"")
    result = prepare(corpus)
    assert result.status == 0
    assert "WARNING: 5 of 9 utterances" in result.words and "5 empty" in result.words


def test_nothing_usable_is_an_error(prepare, tmp_path):
    write(tmp_path / "in/zero.wav", np.zeros(RATE))
    result = prepare(tmp_path / "in")
    assert result.status == 1 and "none of 1 utterances is usable" in result.words
    assert result.skipped() == {"zero": "silent"}


def test_a_single_utterance_is_an_error(prepare, tmp_path):
    write(tmp_path / "in/one.wav", noise(1))
    result = prepare(tmp_path / "in")
    assert result.status == 1 and "expected at least one each" in result.words


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("x"), "is a file"),
        (lambda path: path.mkdir(), "holds no audio"),
    ],
)
def test_unusable_corpus_is_named(prepare, tmp_path, make, words):
    make(tmp_path / "in")
    result = prepare(tmp_path / "in")
    assert result.status == 1
    assert f"corpus {tmp_path / 'in'} {words}" in result.words


def test_command_line(corpus, tmp_path):
    (corpus / "bad.wav").write_bytes(b"RIFF")
    command = [
        sys.executable,
        "-m",
        "espnet_uniwav.lab.corpora.prepare",
        corpus,
        tmp_path / "out",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "skipped     1 1 not audio" in done.stdout
    command[3] = tmp_path / "no"
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "does not exist" in done.stderr
