"""Phone ABX: states that separate phones, and states of chance."""

import numpy as np
import pytest
import torch

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.io.kaldi import Utterance
from espnet_uniwav.lab.align.items import COLUMNS, UNITS, Item, make_items
from espnet_uniwav.lab.score.bootstrap import Estimate
from espnet_uniwav.lab.understand.abx import (
    MEASURES,
    AbxScore,
    AbxScorer,
    error_rate,
    locate,
)
from espnet_uniwav.lab.understand.charts import RANDOM
from espnet_uniwav.lab.understand.section import (
    understanding_section,
    write_understanding,
)
from espnet_uniwav.lab.understand.states import Frames

PHONES = "AA", "K", "S", "T"
LENGTH = 40  # phones of an utterance, of three frames each
UTTERANCES = [Utterance(f"{s}-{i}", "none.wav", s) for s in "abc" for i in range(3)]
FRAMES = Frames(UTTERANCES, np.full(9, 3 * LENGTH), 1, 50.0)


def draw_phones():
    """(9, LENGTH) places of random phones, never one twice in a row."""
    steps = np.random.default_rng(0).integers(1, len(PHONES), size=(9, LENGTH))
    return steps.cumsum(axis=1) % len(PHONES)


def separate():
    """(N, 4) states that tell the phone."""
    return np.eye(4, dtype=np.float32)[draw_phones().ravel().repeat(3)]


def align(phones):
    return {
        utterance.name: [
            Segment(round(0.06 * i, 3), round(0.06 * (i + 1), 3), PHONES[phone])
            for i, phone in enumerate(own)
        ]
        for utterance, own in zip(UTTERANCES, phones)
    }


def noise(size=8):
    states = np.random.default_rng(1).standard_normal((9 * 3 * LENGTH, size))
    return states.astype(np.float32)


def test_the_frames_of_an_item_have_their_centres_in_it():
    items = [
        Item("a-1", 0.0, 0.06, *"pbas"),
        Item("b-0", 0.061, 0.101, *"pbas"),
        Item("b-0", 0.061, 0.079, *"pbas"),  # no centre
        Item("b-0", 2.39, 2.42, *"pbas"),  # beyond the last one, 2.38
        Item("b-0", 2.36, 2.5, *"pbas"),
    ]
    found = [place for _, *place in locate(items, FRAMES)]
    assert found == [[120, 123], [364, 366], [478, 480]]


def test_pairs_of_phones_count_the_same():
    pairs = np.array(["p q", "p q", "p q", "q p"], object)
    speakers = np.array(["a", "a", "b", "a"], object)
    value, low, high = error_rate(pairs, speakers, np.array([0.2, 0.4, 0.6, 1.0]))
    assert value == pytest.approx((0.4 + 1.0) / 2)
    # Speaker b alone has no q p, speaker a alone has both.
    assert (low, high) == (pytest.approx(0.6), pytest.approx(0.7))


def score(states):
    pytest.importorskip("fastabx")
    return AbxScorer(FRAMES, align(draw_phones())).score("tiny", "1", states)


def test_states_that_tell_the_phone_make_no_error():
    found = score(separate())
    assert list(found.errors) == list(MEASURES)
    assert all(errors == (0, 0, 0) for errors in found.errors.values())
    assert found.facts["items"] == 9 * (LENGTH - 2)


def test_random_states_are_at_chance():
    for value, low, high in score(noise()).errors.values():
        assert value == pytest.approx(0.5, abs=0.03)
        assert low <= value <= high


def test_states_stay_as_they_are():
    states = noise()
    score(states)
    np.testing.assert_array_equal(states, noise())


@pytest.mark.parametrize("measure", MEASURES)
def test_it_is_the_measure_of_zerospeech(tmp_path, measure):
    fastabx = pytest.importorskip("fastabx")
    unit, speaker = measure.split("_")
    states = noise(4) + 1.5 * separate()
    for utterance, own in zip(UTTERANCES, np.split(states, 9)):
        torch.save(torch.from_numpy(own.copy()), tmp_path / f"{utterance.name}.pt")
    speakers = {u.name: u.speaker for u in UTTERANCES}
    with open(tmp_path / "all.item", "w") as file:
        print(*COLUMNS, file=file)
        for item in make_items(align(draw_phones()), speakers, unit):
            # Its frames have their centres half a frame later, and end with the item.
            onset, offset = item.onset + 0.01, item.offset + 0.009
            print(item.file, f"{onset:.3f} {offset:.3f}", *item[3:], file=file)
    expected = fastabx.zerospeech_abx(
        tmp_path / "all.item",
        tmp_path,
        max_size_group=10,
        max_x_across=5,
        speaker=speaker,
        context="within" if unit == UNITS[0] else "any",
        progress=False,
    )
    assert 0.05 < expected < 0.45
    assert score(states).errors[measure][0] == pytest.approx(expected, abs=1e-6)


def test_one_speaker_has_nothing_across(tmp_path):
    pytest.importorskip("fastabx")
    frames = Frames(UTTERANCES[:3], np.full(3, 3 * LENGTH), 1, 50.0)
    scorer = AbxScorer(frames, align(draw_phones()))
    found = scorer.score("tiny", "0", noise()[: 9 * LENGTH])
    missing = {m for m, (error, *_) in found.errors.items() if np.isnan(error)}
    assert missing == {"triphone_across", "phoneme_across"}
    write_understanding(tmp_path, [found], [], "")
    (picture,) = understanding_section(tmp_path).figures
    assert picture.title == "Phone ABX"


def made_up(system, layer, error):
    errors = {m: Estimate(error, error - 0.01, error + 0.01) for m in MEASURES}
    return AbxScore(system, layer, errors, {"items": 10, "utterances": 3})


def test_the_page_shows_errors_of_every_layer(tmp_path):
    scores = [made_up("tiny", "0", 0.3), made_up("tiny", "1", 0.2)]
    scores.append(made_up(RANDOM, "0", 0.4))
    notes = ["note"]
    write_understanding(tmp_path, scores, notes, "uniwav understand")
    assert (tmp_path / "abx.png").stat().st_size > 1000
    section = understanding_section(tmp_path)
    assert section.notes == notes
    (table,) = section.tables
    assert "(10 items of 3 utterances, chance 50 %)" in table.title
    assert table.rows[1][:3] == ["tiny", "1", "20.0 (19.0 to 21.0)"]
    assert table.header[2:4] == ["triphone within speaker", "triphone across speakers"]
    write_understanding(tmp_path, [], [], "")
    assert not list(tmp_path.glob("abx.*"))
    assert not understanding_section(tmp_path).tables
