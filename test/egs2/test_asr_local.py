"""The asr1 recipe's own scripts: how errors are counted, tokens of frames, minutes."""

import pytest

from espnet_uniwav.apps.phones.ctm import Segment

LOCAL = "mini_speech/asr1/local"
SCORE = f"{LOCAL}/score.py"
INDEX = {"<blank>": 0, "<space>": 1, "A": 2, "B": 3}


def test_scores_of_seeds_and_groups(run_script, tmp_path):
    """Two runs, one with a wrong word in one group, and a missing hypothesis."""
    files = {
        "ref": "u1 AB CD\nu2 EF GH\n",
        "hyp1": "u1 AB CD\nu2 EF XX\n",
        "hyp2": "u1 AB CD\n",
        "wav.scp": "u1 /near/1.wav\nu2 /far/2.wav\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    options = ["--wav_scp", tmp_path / "wav.scp", "--csv", tmp_path / "out.csv"]
    options += ["--group", "near=/near/", "--group", "far=/far/"]
    hypotheses = [f"ours={tmp_path / name}" for name in ("hyp1", "hyp2")]
    said = run_script(SCORE, tmp_path / "ref", *hypotheses, *options)
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    floor = [row for row in rows if row[0] == "floor: AB repeated"]
    assert {(row[1], row[4]): row[5] for row in floor}["near", "WER"] == "50.00"
    rates = {(r[1], r[4]): (r[2], float(r[5])) for r in rows if r[0] == "ours"}
    assert rates["near", "WER"] == ("2", 0.0)
    assert rates["far", "WER"] == ("2", 75.0)
    assert rates["far", "CER"] == ("2", 70.0)
    assert rates["all", "WER"] == ("2", 37.5)
    assert "| ours | 2 |" in said


def test_missing_hypotheses_are_told(script, monkeypatch, capsys, tmp_path):
    (tmp_path / "ref").write_text("u1 AB CD\nu2 EF GH\n")
    (tmp_path / "hyp").write_text("u1 AB CD\n")
    (tmp_path / "empty").write_text("u1 AB CD\nu2\n")
    for name, told in (("hyp", True), ("empty", False)):
        monkeypatch.setattr(
            "sys.argv", [SCORE, f"{tmp_path}/ref", f"a={tmp_path}/{name}"]
        )
        script(SCORE).main()
        assert ("hyp: 1 of 2 utterances are missing" in capsys.readouterr().err) is told


def test_unknown_hypothesis(run_script, tmp_path):
    (tmp_path / "ref").write_text("u1 AB\n")
    (tmp_path / "hyp").write_text("u2 AB\n")
    with pytest.raises(SystemExit, match="u2 is not in the reference"):
        run_script(SCORE, tmp_path / "ref", f"a={tmp_path / 'hyp'}")


@pytest.fixture
def hypotheses(tmp_path):
    """A reference, a right hypothesis, and one with every second word wrong."""
    texts = {"ref": "AB CD", "right": "AB CD", "wrong": "AB CX"}
    for name, text in texts.items():
        (tmp_path / name).write_text(f"u1 {text}\nu2 {text}\n")
    return tmp_path


def test_differences_from_a_baseline(run_script, hypotheses):
    """Points of the texts, and share of the baseline's errors; both texts are alike."""
    systems = [f"{name}={hypotheses / name}" for name in ("right", "wrong")]
    options = [hypotheses / "ref", *systems, "--baseline", "wrong"]
    table = run_script(SCORE, *options).split("\n\n")[1].splitlines()
    cells = [cell.strip() for cell in table[2].strip("|").split("|")]
    all_gone = "-100.00 (-100.00 to -100.00)"
    assert cells == [
        "right",
        "-20.00 (-20.00 to -20.00)",
        all_gone,
        "-50.00 (-50.00 to -50.00)",
        all_gone,
    ]
    assert [line.split("|")[1].strip() for line in table[3:]] == ["floor: AB repeated"]


def test_unknown_baseline(run_script, hypotheses):
    options = [hypotheses / "ref", f"a={hypotheses / 'wrong'}", "--baseline", "b"]
    with pytest.raises(SystemExit, match="--baseline: expected one of a"):
        run_script(SCORE, *options)


@pytest.fixture
def frame_tokens(script):
    return script(f"{LOCAL}/frame_tokens.py").frame_tokens


def test_characters_are_spread_over_their_word(frame_tokens):
    words = [Segment(0.1, 0.5, "AB"), Segment(0.7, 0.9, "A"), Segment(0.9, 1.0, "B")]
    tokens = frame_tokens(words, 12, 10, INDEX)
    assert tokens.tolist() == [0, 2, 2, 3, 3, 0, 1, 2, 1, 3, 0, 0]
    short = frame_tokens([Segment(0.0, 0.1, "ABA")], 8, 10, INDEX)
    assert short[0] in (2, 3) and len(short) == 8
    with pytest.raises(ValueError, match="'C' of 'AC'"):
        frame_tokens([Segment(0, 1, "AC")], 10, 10, INDEX)


def test_minutes_of_a_folder(script, tmp_path):
    """Half of forty utterances of a second; the smaller subset is in the larger."""
    main, folder = script(f"{LOCAL}/subset.py").main, tmp_path / "in"
    folder.mkdir()
    utts = [f"{n % 4}{n}" for n in range(40)]
    for name, value in (
        *(("wav.scp", "a.wav"), ("text", "AB"), ("utt2spk", "s")),
        *(("speech_shape", "16000"), ("alignment", "2 3")),
    ):
        (folder / name).write_text("".join(f"{utt} {value}\n" for utt in utts))
    kept = []
    for seconds in (10, 20):
        out = tmp_path / str(seconds)
        main([str(folder), str(out), str(seconds / 60)])
        kept.append((out / "text").read_text().splitlines())
        assert len((out / "alignment").read_text().splitlines()) == seconds
    assert [len(lines) for lines in kept] == [10, 20]
    assert set(kept[0]) < set(kept[1])
    with pytest.raises(SystemExit, match="holds 0.7 minutes: ask for fewer"):
        main([str(folder), str(tmp_path / "out"), "1"])
    (folder / "segments").write_text("00 r 0 1\n")
    with pytest.raises(SystemExit, match="segments: expected a file for every"):
        main([str(folder), str(tmp_path / "out"), "1"])
