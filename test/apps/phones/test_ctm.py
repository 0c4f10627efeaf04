"""The CTM format: round trips, and errors that name the line."""

import subprocess

import numpy as np
import pytest

from espnet_uniwav.apps.phones.ctm import (
    Segment,
    fill_gaps,
    frame_labels,
    read_ctm,
    write_ctm,
)

HELLO = [
    Segment(0.0, 0.268, "SIL"),
    Segment(0.268, 0.308, "HH"),
    Segment(0.308, 1.25, "AH"),
]


def test_the_file_is_sorted_and_has_three_decimals(tmp_path):
    path = tmp_path / "phones.ctm"
    write_ctm(path, {"b": HELLO, "a": [Segment(0, 1, "IY")], "B": [Segment(1, 2, "Z")]})
    assert path.read_text().splitlines() == [
        "B 1 1.000 1.000 Z",
        "a 1 0.000 1.000 IY",
        "b 1 0.000 0.268 SIL",
        "b 1 0.268 0.040 HH",
        "b 1 0.308 0.942 AH",
    ]
    command = ["sort", "-c", "-k1,1", "-k3,3n", str(path)]
    subprocess.run(command, check=True, env={"LC_ALL": "C"})
    assert list(tmp_path.iterdir()) == [path]


def test_random_segments_come_back_and_still_touch(tmp_path):
    borders = np.unique(np.random.default_rng(0).integers(0, 200_000, 3000)) / 1000
    borders = borders + np.random.default_rng(1).uniform(-4e-4, 4e-4, len(borders))
    borders[0] = 0.0
    segments = [Segment(a, b, "AA") for a, b in zip(borders, borders[1:])]
    write_ctm(tmp_path / "x", {"u": segments})
    (found,) = read_ctm(tmp_path / "x").values()
    assert all(a.end == b.start for a, b in zip(found, found[1:]))
    assert [s.end for s in found] == [round(float(b), 3) for b in borders[1:]]
    write_ctm(tmp_path / "y", {"u": found})
    assert (tmp_path / "y").read_bytes() == (tmp_path / "x").read_bytes()


def test_comments_confidences_and_other_precisions_are_read(tmp_path):
    path = tmp_path / "other.ctm"
    path.write_text(";; by hand\nu A 0 .1 yes 0.97\n\nu A 0.1000 0.25 no\n")
    found = read_ctm(path)
    assert found == {"u": [Segment(0.0, 0.1, "yes"), Segment(0.1, 0.35, "no")]}


@pytest.mark.parametrize(
    "line, said",
    [
        ("a 1 0.5 0.1", "expected `utt 1 start duration label`"),
        ("a 2 0.5 0.1 X", "expected `utt 1 start duration label`"),
        ("a 1 O.5 0.1 X", "start in seconds.*'O.5'"),
        ("a 1 0.5 nan X", "duration in seconds.*'nan'"),
        ("a 1 -0.5 0.1 X", "start in seconds, zero or more"),
        ("a 1 0.5 -0.1 X", "duration in seconds, zero or more"),
        ("a 1 0.5 0.0004 X", "at least 1 ms"),
        ("A 1 0.5 0.1 X", "after 'a'.*sort"),
        ("a 1 0.0 0.1 X", "after 0.1 s.*sort"),
        ("a 1 0.2 0.1 X", "'X' starts at 0.2 s, before 'AA' ends at 0.3"),
    ],
)
def test_errors_name_file_and_line(tmp_path, line, said):
    path = tmp_path / "bad.ctm"
    path.write_text(f"a 1 0.1 0.2 AA\n{line}\n")
    with pytest.raises(ValueError, match=f"bad.ctm, line 2: .*{said}"):
        read_ctm(path)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.ctm.*uniwav align"):
        read_ctm(tmp_path / "nothing.ctm")


@pytest.mark.parametrize(
    "utt, segments",
    [
        ("a b", HELLO),
        ("u", [Segment(0, 1, "two words")]),
        ("u", [Segment(0, 1, "")]),
        ("u", HELLO[::-1]),
        ("u", [Segment(0, 1, "A"), Segment(0.9, 2, "B")]),
        ("u", [Segment(0.1, 0.1001, "A")]),
        ("u", [Segment(-0.1, 0.1, "A")]),
        ("u", [Segment(0, 1, "A\nB")]),
        ("u", [Segment(0, 1, "A\u2028B")]),
        ("u", [Segment(0, 1, "A\tB")]),
    ],
)
def test_nothing_is_written_that_could_not_be_read(tmp_path, utt, segments):
    with pytest.raises(ValueError, match=f"x.ctm: {utt}: "):
        write_ctm(tmp_path / "x.ctm", {utt: segments})
    assert not (tmp_path / "x.ctm").exists()


def test_names_and_labels_may_hold_other_spaces_than_blanks(tmp_path):
    alignments = {"u\u00a01": [Segment(0, 1, "New\u00a0York")], "u\u30002": HELLO}
    write_ctm(tmp_path / "x.ctm", alignments)
    assert read_ctm(tmp_path / "x.ctm") == alignments


def test_frames_take_the_label_at_their_centre():
    labels = frame_labels(HELLO, 65, 50)
    # Centres at 0, 20, .. ms: 0.26 is silence, 0.28 and 0.30 are HH, 1.24 is the last
    assert labels.tolist() == ["SIL"] * 14 + ["HH"] * 2 + ["AH"] * 47 + ["SIL"] * 2
    assert frame_labels(HELLO, 65, 50, outside="-")[63:].tolist() == ["-"] * 2


def test_a_border_on_a_centre_belongs_to_what_begins():
    segments = [Segment(0.0, 0.06, "A"), Segment(0.06, 0.1, "B")]
    assert "".join(frame_labels(segments, 6, 50, outside="-")) == "AAABB-"


def test_frames_equal_a_search_one_by_one():
    generator = np.random.default_rng(0)
    borders = np.unique(generator.integers(0, 5000, 60)).reshape(-1, 2) / 1000
    segments = [Segment(a, b, f"L{i}") for i, (a, b) in enumerate(borders.tolist())]
    for rate in (12.5, 50, 100, 49.95):
        slow = [
            next((s.label for s in segments if s.start <= i / rate < s.end), "SIL")
            for i in range(int(6 * rate))
        ]
        assert frame_labels(segments, len(slow), rate).tolist() == slow
    assert frame_labels([], 3, 50).tolist() == ["SIL"] * 3
    assert frame_labels(segments, 0, 50).shape == (0,)


def test_gaps_become_silence_and_the_end_is_that_of_the_audio():
    segments = [Segment(0.1, 0.2, "A"), Segment(0.2, 0.3, "B"), Segment(0.4, 0.9, "C")]
    filled = fill_gaps(segments, 0.5004)
    assert [(s.start, s.end, s.label) for s in filled] == [
        (0.0, 0.1, "SIL"),
        (0.1, 0.2, "A"),
        (0.2, 0.3, "B"),
        (0.3, 0.4, "SIL"),
        (0.4, 0.5, "C"),
    ]
    assert fill_gaps([], 0.25) == [Segment(0.0, 0.25, "SIL")]
    assert fill_gaps(segments[:1], 0.2003) == [
        Segment(0.0, 0.1, "SIL"),
        Segment(0.1, 0.2, "A"),
    ]
