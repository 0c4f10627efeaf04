"""TextGrids: which file, which tier, which label."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.lab.align.mfa import MFAAligner
from espnet_uniwav.lab.align.tiers import phone_label

textgrid = pytest.importorskip("praatio.textgrid")

WORDS = [(0.25, 0.5, "hi"), (0.5, 0.8, "you"), (0.9, 1.0, "<unk>")]
PHONES = [
    (0.25, 0.33, "HH"),
    (0.33, 0.5, "AY1"),
    (0.5, 0.6, "Y"),
    (0.6, 0.8, "UW0"),
    (0.8, 0.85, "sp"),
    (0.9, 1.0, "spn"),
]


def write_grid(path, tiers=None, seconds=1.25, **save):
    """A TextGrid as MFA writes it, empty intervals included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = textgrid.Textgrid()
    for name, entries in (tiers or {"words": WORDS, "phones": PHONES}).items():
        grid.addTier(textgrid.IntervalTier(name, entries, 0, seconds))
    save = {"format": "long_textgrid", "includeBlankSpaces": True, **save}
    grid.save(str(path), **save)
    return path


def make_utterance(folder, name="s1-u1", speaker="s1", seconds=1.25):
    path = folder / f"{name}.wav"
    soundfile.write(path, np.zeros(int(16000 * seconds)), 16000)
    return SimpleNamespace(name=name, path=path, speaker=speaker, text="")


def align(folder, utterance):
    return MFAAligner(folder)(utterance)


@pytest.mark.parametrize("layout", ["long_textgrid", "short_textgrid"])
def test_labels_and_times(tmp_path, layout):
    write_grid(tmp_path / "g/s1-u1.TextGrid", format=layout)
    found = align(tmp_path / "g", make_utterance(tmp_path))
    assert found.words == [Segment(*entry) for entry in WORDS]
    assert [(s.start, s.label) for s in found.units] == [
        (0.0, "SIL"),
        (0.25, "HH"),
        (0.33, "AY"),
        (0.5, "Y"),
        (0.6, "UW"),
        (0.8, "SIL"),
        (0.85, "SIL"),
        (0.9, "SPN"),
        (1.0, "SIL"),
    ]
    assert found.units[-1].end == 1.25
    assert all(a.end == b.start for a, b in zip(found.units, found.units[1:]))


@pytest.mark.parametrize("label", ["tʃ", "b", "aj", "ɹ", "ə˞"])
def test_ipa_stays(label):
    assert phone_label(label) == label


@pytest.mark.parametrize(
    "place, name, speaker",
    [
        ("s1-u1", "s1-u1", "s1"),
        ("s1/s1-u1", "s1-u1", "s1"),
        ("s1/u1", "s1-u1", "s1"),
        ("s1/u1", "s1_u1", "s1"),
        ("u1", "s1-u1", "s1"),
        ("u1", "s1_u1", "s1"),
        ("a/b/u1", "a-b-u1", "a-b"),
    ],
)
def test_files_are_found_in_every_layout(tmp_path, place, name, speaker):
    path = write_grid(tmp_path / f"g/{place}.TextGrid")
    assert MFAAligner(tmp_path / "g").find(name, speaker) == path


def test_the_same_stem_of_two_speakers(tmp_path):
    first = write_grid(tmp_path / "g/s1/u1.TextGrid")
    second = write_grid(tmp_path / "g/s2/u1.TextGrid")
    grids = MFAAligner(tmp_path / "g")
    assert grids.find("s1-u1", "s1") == first
    assert grids.find("s2-u1", "s2") == second
    with pytest.raises(ValueError, match="more than one TextGrid.*s1.*s2"):
        grids.find("u1", "s3")


def test_tiers_of_a_speaker(tmp_path):
    other = {"s2 - words": [(0, 1, "no")], "s2 - phones": [(0, 1, "N")]}
    tiers = {**other, "s1 - words": WORDS, "s1 - phones": PHONES}
    write_grid(tmp_path / "g/s1-u1.TextGrid", tiers)
    utterance = make_utterance(tmp_path)
    assert align(tmp_path / "g", utterance).words[0].label == "hi"
    utterance.speaker = "s3"
    with pytest.raises(ValueError, match="s1-u1.*expected a tier 'phones'.*'s2 - w"):
        align(tmp_path / "g", utterance)
    write_grid(tmp_path / "g/s1-u1.TextGrid", other)
    assert align(tmp_path / "g", utterance).words[0].label == "no"


@pytest.mark.parametrize("seconds", [1.21, 1.2504, 1.29])
def test_the_end_is_that_of_the_audio(tmp_path, seconds):
    write_grid(tmp_path / "g/s1-u1.TextGrid")
    found = align(tmp_path / "g", make_utterance(tmp_path, seconds=seconds))
    assert found.units[-1].end == round(seconds, 3)


def test_what_is_wrong_is_named(tmp_path):
    path = write_grid(tmp_path / "g/s1-u1.TextGrid")
    utterance = make_utterance(tmp_path, seconds=1.5)
    with pytest.raises(ValueError, match="u1.TextGrid: expected 1.500 s.*1.250 s"):
        align(tmp_path / "g", utterance)
    path.write_text("no grid at all")
    with pytest.raises(ValueError, match="u1.TextGrid: cannot be read"):
        align(tmp_path / "g", utterance)
    with pytest.raises(ValueError, match="no TextGrid named x-u2 or u2"):
        align(tmp_path / "g", make_utterance(tmp_path, "x-u2", "x"))
    path.unlink()
    with pytest.raises(FileNotFoundError, match="TextGrid.*found none"):
        MFAAligner(tmp_path / "g")


def test_files_of_no_utterance_are_told(tmp_path):
    write_grid(tmp_path / "g/s1-u1.TextGrid")
    write_grid(tmp_path / "g/s2/u9.TextGrid")
    aligner = MFAAligner(tmp_path / "g")
    aligner(make_utterance(tmp_path))
    assert aligner.unused() == {"s2/u9.TextGrid": "belongs to no utterance"}
