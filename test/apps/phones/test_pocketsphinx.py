"""Alignments of real speech by PocketSphinx."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from factories import SHARED

from espnet_uniwav.apps.phones import pocketsphinx_aligner
from espnet_uniwav.apps.phones.ctm import frame_labels
from espnet_uniwav.apps.phones.pocketsphinx_aligner import (
    PocketSphinxAligner,
    _alignment,
    frame_start,
)

FLAC = "speech/flac/libri/1688-142285-0002.flac"
TEXT = "YOU DON'T MEAN, THAT <unk> YOU THOUGHT ME SO SILLY"
PHONES = "Y UW D OW N M IY N DH AE T Y UW TH AO T M IY S OW S IH L IY"


@pytest.fixture(scope="module")
def aligner():
    return PocketSphinxAligner(lambda word: ["AH"] * len(word))


@pytest.fixture(scope="module")
def flac():
    path = SHARED / FLAC
    if not path.is_file():
        pytest.skip(f"{path} is absent: set UNIWAV_SHARED")
    return path


def utterance(path, text, name="u"):
    return SimpleNamespace(name=name, path=path, text=text)


def write(path, samples, rate=16000):
    soundfile.write(path, samples, rate)
    return path


def test_real_speech(aligner, flac):
    found = aligner(utterance(flac, TEXT))
    labels = [s.label for s in found.units]
    assert [p for p in labels if p != "SIL"] == PHONES.split()
    assert [s.label for s in found.words] == TEXT.replace("<unk> ", "").split()
    assert found.units[0].start == 0.0
    assert found.units[-1].end == soundfile.info(str(flac)).duration
    assert all(a.end == b.start for a, b in zip(found.units, found.units[1:]))
    for word in found.words:
        borders = {s.start for s in found.units} | {s.end for s in found.units}
        assert {word.start, word.end} <= borders


def test_speech_is_louder_than_silence(aligner, flac):
    found = aligner(utterance(flac, TEXT))
    samples, rate = soundfile.read(flac)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    decibels = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    labels = frame_labels(found.units, len(frames), rate / 160)
    vowels = np.isin(labels, ["IY", "OW", "AE", "AO", "IH", "UW"])
    silence = labels == "SIL"
    assert np.median(decibels[vowels]) - np.median(decibels[silence]) > 15


def test_no_utterance_changes_another(aligner, flac, tmp_path):
    expected = PocketSphinxAligner()(utterance(flac, TEXT))
    noise = np.random.default_rng(0).normal(0, 0.3, 32000)
    noisy = write(tmp_path / "noise.wav", noise)
    with pytest.raises(ValueError, match="not found"):
        aligner(utterance(noisy, "zyxzyx is something else"))
    assert aligner(utterance(flac, TEXT)) == expected


def test_later_speech_is_aligned_later(aligner, flac, tmp_path):
    samples, rate = soundfile.read(flac)
    shift = 0.5
    quiet = np.random.default_rng(0).normal(0, 3e-4, int(shift * rate))
    path = write(tmp_path / "later.wav", np.concatenate([quiet, samples]))
    starts, later = (
        np.array([s.start for s in aligner(utterance(p, TEXT)).units[1:]])
        for p in (flac, path)
    )
    assert np.abs(later - starts - shift).max() <= 0.03
    assert np.median(np.abs(later - starts - shift)) < 0.002


def test_stereo_at_another_rate(aligner, flac, tmp_path):
    samples, rate = soundfile.read(flac)
    double = np.repeat(samples, 2)[:, None] * [1.0, 0.8]
    path = write(tmp_path / "double.wav", double, 2 * rate)
    expected, found = aligner(utterance(flac, TEXT)), aligner(utterance(path, TEXT))
    differences = [a.start - b.start for a, b in zip(expected.units, found.units)]
    assert len(expected.units) == len(found.units)
    assert np.median(np.abs(differences)) < 0.011


def test_words_that_the_dictionary_lacks_are_spelt(aligner, flac):
    found = aligner(utterance(flac, TEXT.replace("SILLY", "zyl")))
    spoken = [s.label for s in found.units if s.label != "SIL"]
    assert spoken[-3:] == ["AH"] * 3 and found.words[-1].label == "zyl"


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no text"),
        ("<unk>", "no text"),
        ("... -", "no text"),
        ("YOU 42", "no pronunciation of '42'"),
        ("so " * 60, "60 words were not found in 2.8. s of audio.*belong"),
    ],
)
def test_texts_of_no_use(aligner, flac, text, said):
    with pytest.raises(ValueError, match=said):
        aligner(utterance(flac, text))


def test_audio_of_no_use(aligner, tmp_path):
    nothing = write(tmp_path / "nothing.wav", np.zeros(0))
    short = write(tmp_path / "short.wav", np.zeros(100))
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFF but no more")
    for path, said in (
        (nothing, "0 samples"),
        (short, "2 words were not found in 0.01 s"),
        (noise, "cannot be read as audio"),
        (tmp_path / "missing.wav", "no such audio file"),
    ):
        with pytest.raises((ValueError, OSError), match=said):
            aligner(utterance(path, "hello there"))


@pytest.mark.parametrize("failing", [1, 2])
def test_wider_beams_are_tried_in_turn(aligner, flac, monkeypatch, failing):
    """The first or the second pass fails; PocketSphinx raises then."""
    passes, run = [], pocketsphinx_aligner._run

    def fail_once(decoder, samples):
        passes.append(decoder.config["beam"])
        run(decoder, samples)
        if len(passes) == failing:
            raise RuntimeError("Failed to stop utterance processing")

    monkeypatch.setattr(pocketsphinx_aligner, "_run", fail_once)
    found = aligner(utterance(flac, TEXT))
    assert passes == [1e-48] * failing + [1e-100] * 2
    assert [s.label for s in found.units if s.label != "SIL"] == PHONES.split()


def test_borders_lie_between_the_centres_of_frames():
    # Frame 0 covers samples 0 to 409, frame 1 covers 160 to 569: centres 205 and 365.
    assert frame_start(1) == pytest.approx((205 + 365) / 2 / 16000)


def test_noises_join_silences():
    entries = [
        ("<sil>", 0, [("SIL", 0)]),
        ("[NOISE]", 10, [("+NSN+", 10)]),
        ("a(2)", 20, [("EY", 20)]),
        ("<sil>", 30, [("SIL", 30)]),
    ]
    found = _alignment("u", entries, [("A,", "a")], 0.5)
    assert [(s.start, s.end, s.label) for s in found.units] == [
        (0.0, 0.208, "SIL"),
        (0.208, 0.308, "EY"),
        (0.308, 0.5, "SIL"),
    ]
    assert [(s.start, s.end, s.label) for s in found.words] == [(0.208, 0.308, "A,")]
