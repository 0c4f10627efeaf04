"""Phones with durations, and the lines to speak."""

from pathlib import Path

import numpy as np
import pytest
from corpus_case import noise, write
from factories import write_tables

from espnet_uniwav.apps.tts import pick_lines
from espnet_uniwav.apps.tts.lines import read_lines
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import Utterance
from espnet_uniwav.lab.align import write_durations

NAMES = ("a1", "a2", "b1")


def run(module, *argv):
    module.main([str(word) for word in argv])


@pytest.fixture
def folders(tmp_path):
    """Two utterances of speaker a, one of b; each says four words in two seconds."""
    data, alignment = tmp_path / "data", tmp_path / "alignment"
    data.mkdir()
    alignment.mkdir()
    tables = {"wav.scp": {}, "text": {}, "utt2spk": {}, "speech_shape": {}}
    words, phones = "", ""
    for seed, name in enumerate(NAMES):
        write(tmp_path / f"{name}.wav", noise(2.0, seed=seed))
        row = (str(tmp_path / f"{name}.wav"), "ONE TWO SIX TEN", name[0], "32000")
        for table, value in zip(tables.values(), row):
            table[name] = value
        for i, word in enumerate(("one", "two", "six", "ten")):
            words += f"{name} 1 {0.5 * i:.2f} 0.50 {word}\n"
            phones += f"{name} 1 {0.5 * i:.2f} 0.50 {word[0].upper()}\n"
    (alignment / "words.ctm").write_text(words)
    (alignment / "phones.ctm").write_text(phones)
    write_tables(data, tables)
    return data, alignment


def test_durations_sum_to_the_frames(folders):
    data, alignment = folders
    options = ("--frame_rate", "50", "--token_list", data / "tokens")
    run(write_durations, data, alignment, *options)
    assert (data / "phones").read_text().startswith("a1 O_E T_E S_E T_E\n")
    assert (data / "durations").read_text().startswith("a1 25 25 25 25\n")
    assert (data / "tokens").read_text().split()[2:-1] == [
        *("O", "O_E", "S", "S_E", "T", "T_E")
    ]


def test_lines(folders, tmp_path):
    data, alignment = folders
    run(write_durations, data, alignment)
    run(pick_lines, data, alignment, tmp_path / "out", "--seconds", "1.2")
    one, two = read_lines(tmp_path / "out/aligned.tsv")
    assert (one.name, one.text) == ("a1", "one two six ten")
    assert one.phones == "O_E T_E S_E T_E"
    assert one.prompt.endswith("a2.wav") and one.prompt_text == "one two"
    assert two.prompt.endswith("a1.wav") and two.reference.endswith("/a2.wav")
    predicted = read_lines(tmp_path / "out/predicted.tsv")
    assert [line.durations for line in predicted] == ["", ""]
    few = ("--seconds", "1.2", "--num_lines", "1")
    run(pick_lines, data, alignment, tmp_path / "few", *few)
    assert len(read_lines(tmp_path / "few/aligned.tsv")) == 1


@pytest.mark.parametrize(
    "row, message",
    [
        ("Hello\tthere", r"line 3: expected the cells name, text, found \['there'\]"),
        ("Hello\t\tyou", r"line 3: expected the cells name, text, found \['you'\]"),
    ],
)
def test_a_tab_in_a_text_is_named(tmp_path, row, message):
    (tmp_path / "a.tsv").write_text(f"name\ttext\na\tHi\nb\t{row}\n")
    with pytest.raises(ValueError, match=f"a.tsv, {message} after them; take the"):
        read_lines(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("name\ttext\na\tHi\t\n")
    assert read_lines(tmp_path / "a.tsv")[0].text == "Hi"


@pytest.mark.parametrize(
    "cell", ["a b", "5 a", "5 -1", "5 1.5", "5,7", "5 1_0", "9" * 20]
)
def test_durations_that_are_no_numbers_are_named(tmp_path, cell):
    head = "name\tphones\tdurations\n"
    (tmp_path / "a.tsv").write_text(f"{head}a\tB AA\t5 7\nb\tB AA\t{cell}\n")
    wrong = next(count for count in cell.split() if count != "5")
    message = f"a.tsv, line 3: durations: expected whole numbers .* found '{wrong}'"
    with pytest.raises(ValueError, match=message):
        read_lines(tmp_path / "a.tsv")


def test_prompts_say_something_else():
    choose = pick_lines.choose
    lines = {"a": "one two six ten", "b": "ONE TWO SIX", "c": "two six one", "d": "to"}
    lines = [Utterance(name, Path(), "x", text) for name, text in lines.items()]
    prompts = {choose(lines, line).name for line in lines[:2]}
    assert prompts <= {"c", "d"}
    assert choose(lines[:2], lines[0]) is None


def test_no_line_is_an_error(folders, tmp_path):
    data, alignment = folders
    run(write_durations, data, alignment)
    with pytest.raises(SystemExit, match="none of 3 utterances has durations, 9 words"):
        run(pick_lines, data, alignment, tmp_path / "out", "--min_words", "9")
    assert not list((tmp_path / "out").glob("*.tsv"))


def test_stretches_of_a_recording_become_files(folders, tmp_path):
    data, alignment = folders
    run(write_durations, data, alignment)
    whole = np.concatenate([noise(2.0, seed=i) for i in range(3)])
    write(data / "whole.wav", whole)
    (data / "wav.scp").write_text(f"r {data}/whole.wav\n")
    lines = (f"{name} r {2 * i} {2 * i + 2}\n" for i, name in enumerate(NAMES))
    (data / "segments").write_text("".join(lines))
    texts = {"a1": "ONE TWO SIX TEN", "a2": "RED RED RED RED", "b1": "X X X X"}
    (data / "text").write_text("".join(f"{k} {v}\n" for k, v in texts.items()))
    run(pick_lines, data, alignment, tmp_path / "out", "--seconds", "1.2")
    found = {line.name: line for line in read_lines(tmp_path / "out/aligned.tsv")}
    assert list(found) == ["a1", "a2"]
    speech = read_speech(found["a2"].reference, 16000)
    np.testing.assert_allclose(speech, whole[32000:64000], atol=1e-4)
    prompt = read_speech(found["a2"].prompt, 16000)
    np.testing.assert_allclose(prompt, whole[: len(prompt)], atol=1e-4)
