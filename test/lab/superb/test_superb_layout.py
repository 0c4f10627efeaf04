"""The layouts that S3PRL's experts read, and what they refuse."""

from __future__ import annotations

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
from superb_case import speech, write_corpus

from espnet_uniwav.lab.superb import layout, recognition, speakers
from espnet_uniwav.lab.superb.utterances import (
    SuperbUtterance,
    fresh_folder,
    read_folders,
    read_utterances,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("kaldi"))


@pytest.fixture(scope="module")
def utterances(corpus):
    return read_folders(corpus)


def make(count=6, speakers=4, split="test", **overrides):
    return [
        SuperbUtterance(
            f"s{who}-{i}",
            f"s{who}-{i}",
            f"s{who}",
            split,
            f"/s{who}-{i}.wav",
            16000,
            **{"recording": f"s{who}-{i}", **overrides},
        )
        for who in range(speakers)
        for i in range(count)
    ]


def read(path):
    return Path(path).read_text().splitlines()


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_names_hold_no_dot(utterances):
    assert len(utterances) == 30
    assert all("." not in item.name for item in utterances)


def test_pr_guesses_what_the_dictionary_lacks_and_drops_what_cannot_be(
    utterances, tmp_path, monkeypatch
):
    monkeypatch.setattr(recognition, "spell", lambda word: ["Z", "IH", "K"])
    recognition.write_pr(utterances, fresh_folder(tmp_path / "guess"))
    assert "GOOD G UH D" in read(tmp_path / "guess/lexicon.txt")
    assert len(read_csv(tmp_path / "guess/dev.csv")) == 10
    assert read(tmp_path / "guess/guessed.txt") == ["ZZYXQ Z IH K"]
    assert "K" in read(tmp_path / "guess/phones.txt")
    odd = [replace(u, text=u.text.replace("ZZYXQ", "ÜBER").strip()) for u in utterances]
    report = recognition.write_pr(odd, fresh_folder(tmp_path / "drop"))
    rows = read_csv(tmp_path / "drop/dev.csv")
    assert len(rows) == 8 and not any("ÜBER" in r["transcription"] for r in rows)
    assert "6 utterances left out" in report


def test_words_are_looked_up_without_their_apostrophe_before_guessing(monkeypatch):
    monkeypatch.setattr(recognition, "spell", lambda word: ["N"])
    words = dict.fromkeys(["A", "BEGGAR'S", "XQZ", "ÜBER"], 1)
    found, guessed = recognition.pronounce(words)
    assert found["A"] == ["AH"] and found["XQZ"] == ["N"] and "ÜBER" not in found
    assert guessed <= {"BEGGAR'S", "XQZ"} and found["BEGGAR'S"][:3] == ["B", "EH", "G"]


def test_asr_has_a_transcript_beside_every_file_of_its_buckets(utterances, tmp_path):
    recognition.write_asr(utterances, tmp_path)
    texts, letters = {}, set()
    for split in ("train-clean-100", "dev-clean", "test-clean"):
        rows = read_csv(tmp_path / f"len_for_bucket/{split}.csv")
        assert len(rows) == 10 and {row["length"] for row in rows} == {"120"}
        for row in rows:
            path = tmp_path / "LibriSpeech" / row["file_path"]
            assert soundfile.info(str(path)).frames == 19200
            speaker, chapter = path.parts[-3:-1]
            for line in read(path.with_name(f"{speaker}-{chapter}.trans.txt")):
                name, text = line.split(maxsplit=1)
                texts[name] = text
            letters |= set(texts[path.stem].replace(" ", "|"))
    known = [line.split()[0] for line in read(tmp_path / "characters.dict")]
    assert letters | {"|"} == set(known) and len(known) == len(set(known))


def test_sid_has_every_speaker_in_every_split_and_no_recording_twice(
    utterances, tmp_path
):
    speakers.write_sid(utterances, tmp_path)
    table = read_utterances(tmp_path)
    found = {
        split: {row["speaker"] for row in table.values() if row["split"] == split}
        for split in ("train", "dev", "test")
    }
    assert [len(own) for own in found.values()] == [6, 6, 6]
    assert len({row["utt"] for row in table.values()}) == len(table) == 30
    for line in read(tmp_path / "split.txt"):
        number, path = line.split()
        assert (tmp_path / "VoxCeleb1/dev/wav" / path).is_file()
        row = table["-".join(Path(path).with_suffix("").parts)]
        assert {"1": "train", "2": "dev", "3": "test"}[number] == row["split"]
        heard = row["utt"].startswith("train")
        assert ("train_speakers" == row["group"]) == heard


def test_sid_keeps_pieces_of_a_recording_together_whatever_the_order():
    divide = speakers.divide
    items = make(count=20, speakers=1)
    pieces = [replace(u, recording=f"r{i // 4}") for i, u in enumerate(items)]
    found = {u.utt: u for u in divide(pieces)}
    splits = {}
    for item in found.values():
        splits.setdefault(item.recording, set()).add(item.split)
    assert all(len(where) == 1 for where in splits.values())
    assert sorted(s for (s,) in splits.values()) == ["dev", "test"] + 3 * ["train"]
    again = divide(pieces[::-1])
    assert {u.utt: u.split for u in again} == {k: u.split for k, u in found.items()}


def test_asv_trials_are_balanced_and_fixed():
    trials = speakers.make_trials
    items = make(count=12, speakers=6)
    found = trials(items, "test")
    assert sum(same for same, *_ in found) * 2 == len(found)
    pairs = {frozenset((one.utt, two.utt)) for _, one, two in found}
    assert len(pairs) == len(found)
    for same, one, two in found:
        assert (one.speaker == two.speaker) == bool(same)
    assert trials(items[::-1], "test") == found


def test_asv_leaves_out_silence_and_writes_the_lengths_s3prl_reads(
    corpus, utterances, tmp_path
):
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, 1e-5 * speech(), 16000)
    items = [replace(utterances[0], path=str(quiet)), *utterances[1:]]
    folder = tmp_path / "asv"
    speakers.write_asv(items, folder)
    tags, lengths = torch.load(folder / ".wav_lengths/Voxceleb1_length.pt")
    assert len(tags) == len(lengths) == 9 and min(lengths) > 16000
    root = folder / "VoxCeleb1/dev/wav"
    assert all(root.joinpath(*tag).is_file() for tag in tags)
    assert sorted(path.name for path in root.iterdir()) == ["train_0", "train_1"]
    for line in read(folder / "test_trials.txt"):
        paths = [Path(path) for path in line.split()[1:]]
        assert all(path.is_absolute() and path.is_file() for path in paths)
        assert all(path.parts[-3].startswith("test") for path in paths)


def fail(*argv) -> str:
    """The message with which the script ends, in one line."""
    with pytest.raises(SystemExit) as ended:
        layout.main([str(value) for value in argv])
    assert len(ended.value.code.splitlines()) == 1
    return ended.value.code


@pytest.mark.parametrize(
    "task, options, words",
    [
        ("pr", dict(texts=("<unk>",)), "task pr: none of 30 utterances has a usable"),
        ("asr", dict(texts=("ROOM 12",)), "task asr: none of 30"),
        ("sid", dict(per_speaker=1), "0 of 6 speakers have at least 4 recordings"),
        ("asv", dict(per_speaker=1), "task asv: dev has 2 speakers and no two"),
        ("sid", dict(rate=8000), "has 8000 Hz and 1 channels, expected 16000"),
    ],
)
def test_a_corpus_that_does_not_suit_a_task(tmp_path, task, options, words):
    corpus = write_corpus(tmp_path / "in", **options)
    error = fail(corpus, tmp_path / "out", "--tasks", task)
    assert words in error


def test_bad_folders_are_named(corpus, tmp_path):
    error = fail(tmp_path, tmp_path / "out")
    assert f"{tmp_path / 'train/wav.scp'} is missing" in error
    (tmp_path / "out/sid").mkdir(parents=True)
    (tmp_path / "out/sid/mine.txt").write_text("precious")
    options = "--tasks", "sid"
    error = fail(corpus, tmp_path / "out", *options)
    assert "was not written by this recipe" in error
    assert (tmp_path / "out/sid/mine.txt").read_text() == "precious"


def test_ids_that_become_one_name_are_refused(tmp_path):
    corpus = write_corpus(tmp_path / "in")
    for name in ("wav.scp", "text", "utt2spk"):
        path = corpus / "dev" / name
        lines = path.read_text().splitlines()
        lines = [re.sub(r"^dev\.1-u", "dev_0-u", line) for line in lines]
        path.write_text("\n".join(lines))
    error = fail(corpus, tmp_path / "out")
    assert "dev.0-u" in error and "both become dev_0-u" in error


def test_parts_of_recordings_are_refused(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "in")
    (tmp_path / "in/train/segments").write_text("a r 0 1\n")
    error = fail(tmp_path / "in", tmp_path / "out")
    assert "segments: expected a file for every utterance" in error
