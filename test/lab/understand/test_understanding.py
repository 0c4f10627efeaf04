"""The command and its section: tones as phones, pitch of a hum as speaker."""

import sys

import numpy as np
import pytest
import soundfile
from factories import command, save_model, write_tables

from espnet_uniwav.apps.phones.ctm import Segment, frame_labels, read_ctm, write_ctm
from espnet_uniwav.apps.tokenizer.files import CodeWriter
from espnet_uniwav.cli.parser import named_folder
from espnet_uniwav.io.kaldi import Utterance, read_table
from espnet_uniwav.lab.report.page import write_page
from espnet_uniwav.lab.understand.layer_scores import LayerScorer, read_scores
from espnet_uniwav.lab.understand.section import understanding_section
from espnet_uniwav.lab.understand.states import Frames

report = command("report")
understand = command("understand")

TONES = {"AA": 500.0, "IY": 1500.0, "S": 4000.0}
HUMS = {"low": 120.0, "high": 240.0}
PHONE_SECONDS, PHONES_OF_UTTERANCE = 0.12, 8


def write_corpus(folder, split, rng, speakers, count=4):
    """``count`` utterances of each speaker, with exact alignments."""
    data, aligned = folder / split, folder / f"{split}_alignment"
    for path in (data, aligned):
        path.mkdir(parents=True)
    alignments, paths, speaker_of = {}, {}, {}
    time = np.arange(round(16000 * PHONE_SECONDS)) / 16000
    for speaker in speakers:
        for i in range(count):
            name = f"{speaker}-{split}-{i}"
            phones = rng.choice(list(TONES), PHONES_OF_UTTERANCE)
            speech = np.concatenate([np.sin(6.283 * TONES[p] * time) for p in phones])
            long = np.arange(len(speech)) / 16000
            speech += np.sin(6.283 * HUMS.get(speaker, 170.0) * long)
            speech += 0.01 * rng.standard_normal(len(speech))
            soundfile.write(data / f"{name}.wav", 0.2 * speech, 16000)
            paths[name], speaker_of[name] = f"{data / name}.wav", speaker
            alignments[name] = [
                Segment(k * PHONE_SECONDS, (k + 1) * PHONE_SECONDS, phone)
                for k, phone in enumerate(phones)
            ]
    write_tables(data, {"wav.scp": paths, "utt2spk": speaker_of})
    write_ctm(aligned / "phones.ctm", alignments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("understanding")
    rng = np.random.default_rng(0)
    write_corpus(folder, "dev", rng, HUMS)
    write_corpus(folder, "train", rng, ["third"])
    save_model(folder / "tiny/checkpoint")
    return folder


def run(folder, output, *options, data="dev"):
    checkpoint = folder / "tiny/checkpoint"
    options = [f"--checkpoint={checkpoint}", f"--data={folder / data}", *options]
    understand([*options, f"--output={output}"])
    return output


@pytest.fixture(scope="module")
def measured(folder):
    return run(
        folder,
        folder / "out",
        *("--fit_data", folder / "train", "--clusters", "8"),
        *("--alignment", folder / "dev_alignment", folder / "train_alignment"),
    )


def values(measured, measure, target, system):
    rows = read_scores(measured / f"{measure}.csv")
    return {
        row["layer"]: row
        for row in rows
        if (row["target"], row["system"]) == (target, system)
    }


def test_tones_are_found_where_they_are(measured):
    raw = values(measured, "probe", "phones", "raw features")["features"]
    assert raw["value"] > 0.9 > 0.6 > raw["chance"]
    assert raw["low"] <= raw["value"] <= raw["high"]
    raw = values(measured, "mutual_information", "phones", "raw features")["features"]
    assert raw["entropy"] == pytest.approx(np.log2(3), abs=0.2)
    # Frames at the borders of tones hear both.
    assert 0.55 < raw["share"] <= 1
    assert abs(raw["chance"]) < 0.15


def test_hums_are_found_in_other_utterances(measured):
    raw = values(measured, "probe", "speakers", "raw features")["features"]
    assert raw["value"] > 0.9
    assert raw["utterances"] == 8


def test_every_layer_of_every_system_is_measured(measured):
    layers = ["0", "1", "2", "3", "z"]
    for measure in ("mutual_information", "probe"):
        for target in ("phones", "speakers"):
            for system in ("tiny", "random encoder"):
                assert list(values(measured, measure, target, system)) == layers
    assert (measured / "mutual_information.png").stat().st_size > 1000
    assert (measured / "notes.txt").read_text() == ""


def test_runs_of_k_means_start_anew():
    utterances = [Utterance(f"u{i}", "none.wav", "ab"[i % 2]) for i in range(12)]
    frames = Frames(utterances, np.full(12, 50), 1, 50.0)
    states = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    scorer = LayerScorer(frames, {}, num_clusters=16, num_runs=3)
    information, _ = scorer.score("tiny", "0", states)
    assert information.sums.shape == (3, 12)
    assert len(np.unique(information.sums.sum(axis=1))) == 3
    again, _ = scorer.score("tiny", "0", states)
    np.testing.assert_array_equal(again.sums, information.sums)


def test_several_checkpoints_share_their_references(folder, tmp_path):
    checkpoint = folder / "tiny/checkpoint"
    options = ["--checkpoint", f"one={checkpoint}", f"two={checkpoint}"]
    output = run(folder, tmp_path, *options)
    rows = read_scores(output / "probe.csv")
    systems = [row["system"] for row in rows]
    names = ["one"] * 5 + ["two"] * 5 + ["random encoder"] * 5 + ["raw features"]
    assert systems == names
    assert [r["value"] for r in rows[:5]] == [r["value"] for r in rows[5:10]]


def test_best_layers_are_compared(measured):
    rows = read_scores(measured / "differences.csv")
    pairs = [(row["system"], row["against"]) for row in rows[:3]]
    assert pairs == [
        ("tiny", "random encoder"),
        ("tiny", "raw features"),
        ("random encoder", "raw features"),
    ]
    assert len(rows) == 4 * 3
    for row in rows:
        best = [
            max(
                values(measured, row["measure"], row["target"], row[system]).values(),
                key=lambda found: found["value"],
            )
            for system in ("system", "against")
        ]
        expected = best[0]["value"] - best[1]["value"]
        assert row["difference"] == pytest.approx(expected, abs=1e-3)
        assert [b["layer"] for b in best] == [row["layer"], row["against_layer"]]


def test_the_same_command_gives_the_same_tables(folder, measured):
    options = (measured / "command.txt").read_text().split()[2:]
    again = folder / "again"
    understand([*options, f"--output={again}"])
    for name in ("mutual_information.csv", "probe.csv", "differences.csv"):
        assert (again / name).read_text() == (measured / name).read_text()


def test_the_page_shows_all(measured, tmp_path):
    section = understanding_section(measured)
    assert [f.title.split()[-1] for f in section.figures] == [
        "phones",
        "speakers",
        "probe",
        "probe",
    ]
    assert len(section.tables) == 5
    systems = ["tiny", "random encoder", "raw features"]
    assert section.tables[1].header[1::2] == systems
    assert section.tables[2].header == [
        *("layer", "tiny", "jackknife", "random encoder", "jackknife"),
        *("raw features", "jackknife"),
    ]
    assert section.tables[3].header == ["layer", *systems]
    assert [row[0] for row in section.tables[1].rows] == [
        *("0", "1", "2", "3", "z", "features")
    ]
    assert "uniwav understand --checkpoint" in section.code[0][1]
    assert section.notes == []
    exp = tmp_path / "exp"
    exp.mkdir()
    page = tmp_path / "index.html"
    report(["--exp", str(exp), "--understanding", str(measured), "--output", str(page)])
    assert "What the layers know" in page.read_text(encoding="utf-8")


def test_without_alignments_speakers_are_left(folder, tmp_path, capsys):
    output = run(folder, tmp_path / "out")
    assert "no alignment was given" in capsys.readouterr().out
    section = understanding_section(output)
    assert "no alignment was given" in section.notes[0]
    assert [f.title for f in section.figures] == [
        "Mutual information of units and speakers",
        "Linear speaker probe",
    ]


def test_without_anything_the_page_says_so(folder, tmp_path):
    output = run(folder, tmp_path / "out", data="train")
    section = understanding_section(output)
    assert len(section.notes) == 2 and not section.figures and not section.tables
    page = write_page(tmp_path / "index.html", "T", [section])
    assert "are not measured" in page.read_text()


def test_earlier_pictures_do_not_stay(folder, tmp_path):
    (tmp_path / "probe.png").write_bytes(b"old")
    run(folder, tmp_path, data="train")
    assert not (tmp_path / "probe.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alignment", "gone"], "gone/phones.ctm: no such file"),
        (["--clusters", "100000"], "expected at least 100000 frames, found"),
        (["--checkpoint", "gone"], "gone is no UniWav checkpoint"),
        (["--checkpoint", "a/x", "b/x"], "a different name .* found .'x'. twice"),
        (["--runs", "0"], "--runs: expected a whole number from 1 .* found 0"),
    ],
)
def test_errors_are_one_line(folder, tmp_path, options, message):
    with pytest.raises(SystemExit, match=f"understand: .*{message}"):
        run(folder, tmp_path, *options)


def test_abx_without_its_package_is_a_note(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastabx", None)
    (tmp_path / "abx.csv").write_text("old")
    alignment = str(folder / "dev_alignment")
    run(folder, tmp_path, "--abx", "--alignment", alignment, "--clusters", "8")
    assert "fastabx is missing" in capsys.readouterr().out
    notes = understanding_section(tmp_path).notes
    assert [note for note in notes if "pip install fastabx" in note] == notes[:1]
    assert not (tmp_path / "abx.csv").exists()


def test_abx_of_every_layer(folder, tmp_path):
    pytest.importorskip("fastabx")
    options = ["--abx", "--clusters", "8", "--alignment", str(folder / "dev_alignment")]
    run(folder, tmp_path, *options)
    rows = read_scores(tmp_path / "abx.csv")
    layers = ["0", "1", "2", "3", "z"]
    assert [row["layer"] for row in rows] == [*layers, *layers, "features"]
    assert rows[-1]["system"] == "raw features"
    assert rows[-1]["phoneme_across"] < 0.15  # tones
    assert rows[0]["utterances"] == 8
    # Frames are thinned to one of two: half of the utterances, of one of two speakers.
    run(folder, tmp_path, *options, "--max_frames", "200")
    title = understanding_section(tmp_path).tables[-1].title
    assert "of 4 utterances" in title
    rows = read_scores(tmp_path / "abx.csv")
    assert rows[-1]["phoneme_within"] < 0.15 and np.isnan(rows[-1]["phoneme_across"])


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="notes.txt.*uniwav understand"):
        understanding_section(tmp_path)


def test_checkpoints_get_names():
    assert named_folder("joint=exp/a/checkpoint")[0] == "joint"
    assert named_folder("exp/a/checkpoint")[0] == "a"
    assert named_folder("checkpoint")[0] == "checkpoint"


def write_codes(folder, out, drop=0):
    """Two codes that tell the phone, and the speaker."""
    phones = read_ctm(folder / "dev_alignment/phones.ctm")
    speakers = read_table(folder / "dev/utt2spk")
    with CodeWriter(out, 2) as writer:
        for name in phones:
            samples = soundfile.info(str(folder / f"dev/{name}.wav")).frames
            labels = frame_labels(phones[name], -(-samples // 320), 50.0)
            first = [list(TONES).index(label) + 1 if label else 0 for label in labels]
            second = [list(HUMS).index(speakers[name])] * len(first)
            writer.write(name, np.array([first, second])[:, drop:])


def test_codes(folder, tmp_path):
    write_codes(folder, tmp_path / "codes")
    options = ["--alignment", str(folder / "dev_alignment"), "--clusters", "8"]
    options += ["--runs", "1", "--codes", f"ours={tmp_path / 'codes'}"]
    out = run(folder, tmp_path / "out", *options)
    rows = read_scores(out / "mutual_information.csv")
    found = {
        (row["layer"], row["target"]): (row["value"], row["entropy"], row["clusters"])
        for row in rows
        if row["system"] == "ours"
    }
    assert len(found) == 4
    value, entropy, clusters = found["code 1", "phones"]
    assert value == pytest.approx(entropy, rel=0.1) and clusters == 3
    value, entropy, clusters = found["code 2", "speakers"]
    assert value > 0.9 * entropy and clusters == 2
    assert abs(found["code 2", "phones"][0]) < 0.05
    assert abs(found["code 1", "speakers"][0]) < 0.05
    page = write_page(tmp_path / "index.html", "t", [understanding_section(out)])
    assert "code 2" in page.read_text()


@pytest.mark.parametrize("drop, found", [(0, "none"), (1, "47")])
def test_codes_of_other_frames(folder, tmp_path, drop, found):
    write_codes(folder, tmp_path / "codes", drop)
    data = "dev" if drop else "train"
    with pytest.raises(SystemExit, match=f"found {found}: make them with"):
        run(folder, tmp_path / "out", "--codes", f"{tmp_path / 'codes'}", data=data)
