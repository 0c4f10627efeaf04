"""Recordings of unknown origin: what is speech is read, the rest is named."""

import io
import logging
import os
import struct

import numpy as np
import pytest
import soundfile

from espnet_uniwav.io.audio import (
    FORMATS,
    check_speech_output,
    read_speech,
    seconds_of,
    write_speech,
)


@pytest.fixture
def wav(tmp_path):
    """A second of noise in two channels, 16 bit."""
    path = tmp_path / "a.wav"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (16000, 2))
    soundfile.write(path, noise, 16000)
    return path


def patch(path, place, form, value):
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, place, value)
    path.write_bytes(content)


def test_channels_are_mixed(wav):
    expected = soundfile.read(wav, dtype="float32")[0].mean(1)
    np.testing.assert_array_equal(read_speech(wav, 16000), expected)
    assert seconds_of(wav) == 1.0 and len(read_speech(wav, 8000)) == 8000


@pytest.mark.parametrize("value, said", [(1e38, "1e.38"), (3e38, "3e.38"), (2e4, "2")])
def test_huge_samples(tmp_path, value, said):
    samples = np.full((800, 2), value, np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(ValueError, match=f"a.wav: expected samples from -1 .*{said}"):
        read_speech(tmp_path / "a.wav", 16000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    soundfile.write(tmp_path / "a.wav", [0.0, value], 16000, subtype="FLOAT")
    with pytest.raises(ValueError, match="a.wav: expected finite samples, found 1"):
        read_speech(tmp_path / "a.wav", 16000)


@pytest.mark.parametrize("rate", [1, 999, 2**31 - 1])
def test_rates_that_no_speech_has(wav, rate):
    patch(wav, 24, "<I", rate)
    for read in (seconds_of, lambda path: read_speech(path, 16000)):
        with pytest.raises(ValueError, match=f"a.wav: expected 1000 .*found {rate}"):
            read(wav)


@pytest.fixture
def flac(tmp_path):
    """Two seconds of noise, 16 bit."""
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32000)
    soundfile.write(path, noise, 16000)
    return path


def say_length(flac, count):
    """Write a number of samples into the 36 bits of the header; 0 = unknown."""
    (word,) = struct.unpack_from(">Q", flac.read_bytes(), 18)
    patch(flac, 18, ">Q", (word >> 36 << 36) | count)


def test_lengths_that_no_file_has(flac):
    say_length(flac, 5 * 10**10)
    for read in (seconds_of, lambda path: read_speech(path, 16000)):
        with pytest.raises(ValueError, match="a.flac: expected at most .* samples"):
            read(flac)


def test_a_flac_stream_of_unknown_length_is_whole(flac, caplog):
    whole = read_speech(flac, 16000)
    say_length(flac, 0)
    assert seconds_of(flac) == 2.0
    np.testing.assert_array_equal(read_speech(flac, 16000), whole)
    assert not caplog.records


@pytest.mark.parametrize("damage", ["cut off", "other bytes"])
def test_a_damaged_flac_is_read_as_far_as_it_is_sound(flac, caplog, damage):
    whole, content = read_speech(flac, 16000), flac.read_bytes()
    half = len(content) // 2
    rest = b"" if damage == "cut off" else bytes(range(256)) * (half // 256)
    flac.write_bytes(content[:half] + rest)
    found = read_speech(flac, 16000)
    assert len(found) == 3 * 4096  # whole frames
    np.testing.assert_array_equal(found, whole[: len(found)])
    assert f"its header says 32000 samples, found {len(found)}" in caplog.text
    flac.write_bytes(content[:100])
    with pytest.raises(ValueError, match="the file is damaged: copy it again"):
        read_speech(flac, 16000)


@pytest.mark.parametrize("riff", [False, True])
@pytest.mark.parametrize("count", [0, 500])
def test_a_wav_header_that_says_too_little(wav, caplog, count, riff):
    """As a recorder leaves it that is switched off."""
    whole = read_speech(wav, 16000)
    patch(wav, 40, "<I", 4 * count)
    if riff:
        patch(wav, 4, "<I", 36 + 4 * count)
    assert seconds_of(wav) == 1.0 and not caplog.records
    np.testing.assert_array_equal(read_speech(wav, 16000), whole)
    text = f"a.wav: its header says {4 * count} bytes of samples, found 64000"
    assert text in caplog.text


@pytest.mark.parametrize(
    "rest", [b"LIST\4\0\0\0INFO", b"ID3\4" + b"x" * 99, b"TAG" + b"x" * 125, bytes(512)]
)
def test_what_follows_the_samples_is_no_sound(wav, caplog, rest):
    wav.write_bytes(wav.read_bytes() + rest)
    assert len(read_speech(wav, 16000)) == 16000 and not caplog.records


def test_a_wav_without_samples_or_of_another_kind_says_what_to_do(tmp_path):
    path = tmp_path / "a.wav"
    for content, said in (
        (b"", "found 0 bytes; copy it again"),
        (b"no audio " * 99, "cannot be read as audio .*; convert it to wav or flac"),
        (b"RIFF" + bytes(99), "if it is damaged, copy it again"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.wav: .*{said}"):
            read_speech(path, 16000)
    (tmp_path / "a.raw").write_bytes(bytes(99))
    with pytest.raises(ValueError, match="a.raw: cannot be read as audio"):
        read_speech(tmp_path / "a.raw", 16000)
    soundfile.write(path, np.zeros(0), 16000)
    with pytest.raises(ValueError, match="found 0 samples; record it again"):
        read_speech(path, 16000)


@pytest.mark.parametrize("gain, channel", [(1.0, 1), (0.95, 2)])
def test_opposite_channels_do_not_cancel(tmp_path, caplog, gain, channel):
    """As of a balanced cable that is plugged into a stereo input."""
    path, noise = tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    soundfile.write(path, np.stack([gain * noise, -noise], axis=1), 16000)
    found = read_speech(path, 16000)
    np.testing.assert_allclose(found, noise * (-1) ** (channel - 1), atol=1e-4)
    said = f"a.wav: its channels cancel each other: channel {channel} alone"
    assert said in caplog.text


def test_one_silent_channel_is_mixed(tmp_path, caplog):
    path, noise = tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    channels = np.stack([noise, *[0 * noise] * 7], axis=1)
    soundfile.write(path, channels, 16000)
    np.testing.assert_allclose(read_speech(path, 16000), noise / 8, atol=1e-4)
    assert not caplog.records


@pytest.mark.parametrize("rate", [8000, 16000])
def test_samples_beyond_one_are_scaled_down(tmp_path, caplog, rate):
    speech = 1.6 * np.hanning(8000) * np.sin(np.arange(8000) / 50)
    soundfile.write(tmp_path / "a.wav", speech, 16000, subtype="FLOAT")
    found = read_speech(tmp_path / "a.wav", rate)
    assert np.abs(found).max() == 1.0
    np.testing.assert_allclose(found, speech[:: 16000 // rate] / 1.6, atol=0.01)
    assert f" of {len(found)} samples are beyond 1: all are divided" in caplog.text


def test_a_file_that_is_cut_off_warns(wav, caplog):
    whole = read_speech(wav, 16000)
    assert not caplog.records
    wav.write_bytes(wav.read_bytes()[: 44 + 4 * 6000])
    with caplog.at_level(logging.WARNING):
        found = read_speech(wav, 16000)
    assert "cut off: its header says 16000 samples, found 6000" in caplog.text
    np.testing.assert_array_equal(found, whole[:6000])


@pytest.mark.parametrize("size", [2**31 - 1, 2**32 - 1])
def test_a_stream_of_unknown_length_is_whole(wav, caplog, size):
    patch(wav, 40, "<I", size)
    assert len(read_speech(wav, 16000)) == 16000
    assert not caplog.records


def test_written_speech_is_whole(tmp_path, caplog):
    speech = np.linspace(-1.5, 1.5, 999)
    write_speech(tmp_path / "a.wav", speech, 16000)
    assert "a.wav: 334 of 999 samples are beyond 1: they are clipped" in caplog.text
    found, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 16000 and [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    np.testing.assert_allclose(found, speech.clip(-1, 1), atol=2**-15)


def test_speech_that_is_none_is_not_written(tmp_path):
    with pytest.raises(
        ValueError, match="a.wav: nothing was written: the model generated"
    ):
        write_speech(tmp_path / "a.wav", np.array([0.0, np.nan]), 16000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "a.WAV", *(f"a{end}" for end in FORMATS)])
def test_the_extension_says_the_format(tmp_path, name):
    speech = 0.3 * np.sin(np.arange(8000) / 20)
    check_speech_output(tmp_path / name)
    write_speech(tmp_path / name, speech, 16000)
    info = soundfile.info(tmp_path / name)
    end = (tmp_path / name).suffix.lower() or ".wav"
    assert (info.format, info.subtype) == FORMATS[end] and info.samplerate == 16000
    found = read_speech(tmp_path / name, 16000)[: len(speech)]
    least = 0.9999 if "PCM" in info.subtype else 0.9
    assert np.corrcoef(found, speech)[0, 1] > least


def test_other_extensions_are_refused(tmp_path):
    message = r"a.m4a: expected a name that ends in .wav, .* or .mp3, found .m4a"
    for work in (check_speech_output, lambda path: write_speech(path, [0.0], 16000)):
        with pytest.raises(ValueError, match=message):
            work(tmp_path / "a.m4a")
    with pytest.raises(ValueError, match="a.opus: cannot be written as OPUS at 22050"):
        write_speech(tmp_path / "a.opus", np.zeros(100), 22050)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", [".wav", ".flac"])
def test_samples_of_16_bits_stay_equal(tmp_path, end):
    samples = np.array([-32768, -1, 0, 12345, 32767], np.int16)
    for number, speech in enumerate((samples, samples / 32768)):
        path = tmp_path / f"{number}{end}"
        write_speech(path, speech, 16000)
        np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], samples)


def test_long_speech_is_encoded(tmp_path):
    """Of so many samples at once, libsndfile's Vorbis ends the process."""
    write_speech(tmp_path / "a.ogg", np.zeros(3 * 10**6, np.int16), 16000)
    assert soundfile.info(tmp_path / "a.ogg").frames == 3 * 10**6


def test_a_pipe_gets_speech(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    end = os.open(tmp_path / "a.wav", os.O_RDONLY | os.O_NONBLOCK)
    write_speech(tmp_path / "a.wav", np.zeros(100), 16000)
    found, rate = soundfile.read(io.BytesIO(os.read(end, 10**4)))
    os.close(end)
    assert len(found) == 100 and rate == 16000
