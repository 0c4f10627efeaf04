"""Which texts are kept, and how many minutes."""

from __future__ import annotations

import pytest

from espnet_uniwav.lab.corpora import subset
from espnet_uniwav.lab.corpora import texts as data_texts


def run(module, *argv):
    module.main([str(word) for word in argv])


def write_folder(folder, texts):
    folder.mkdir(parents=True)
    tables = {
        "wav.scp": {utt: f"/{utt}.wav" for utt in texts},
        "text": texts,
        "utt2spk": {utt: utt[0] for utt in texts},
        "speech_shape": {utt: 16000 for utt in texts},
    }
    for name, table in tables.items():
        lines = (f"{key} {value}\n" for key, value in table.items())
        (folder / name).write_text("".join(lines))


def test_usable_texts(tmp_path):
    texts = {"a1": "It's on.", "a2": "<unk>", "a3": "Press 5", "b1": "\u00a1S\u00ed!"}
    for split in ("train", "dev", "test"):
        write_folder(tmp_path / "in" / split, texts)
    out = tmp_path / "out"
    run(data_texts, tmp_path / "in", out, "--match", "^a")
    assert (out / "train/text").read_text() == "a1 IT'S ON\n"
    assert (out / "dev/wav.scp").read_text() == "a1 /a1.wav\n"
    assert (out / "test/spk2utt").read_text() == "a a1\n"
    left = (out / "left_out.tsv").read_text()
    for reason in ("a2\ttrain\tno text", "digits in the text: Press 5", "b1\tdev\tid"):
        assert reason in left


def test_no_text_at_all(tmp_path):
    write_folder(tmp_path / "in/train", {"a1": "<unk>"})
    with pytest.raises(SystemExit, match="none of 1 utterances has a usable text"):
        run(data_texts, tmp_path / "in", tmp_path / "out")


def test_minutes_of_a_folder(tmp_path):
    """Half of forty utterances of a second; the smaller subset is in the larger."""
    write_folder(tmp_path / "in", {f"{n % 4}{n}": "AB" for n in range(40)})
    (tmp_path / "in/alignment").write_text(
        "".join(f"{n % 4}{n} 2 3\n" for n in range(40))
    )
    kept = []
    for seconds in (10, 20):
        out = tmp_path / str(seconds)
        run(subset, tmp_path / "in", out, seconds / 60)
        kept.append((out / "text").read_text().splitlines())
        assert len((out / "alignment").read_text().splitlines()) == seconds
    assert [len(lines) for lines in kept] == [10, 20]
    assert set(kept[0]) < set(kept[1])
    with pytest.raises(SystemExit, match="holds 0.7 minutes: ask for fewer"):
        run(subset, tmp_path / "in", tmp_path / "out", 1)


def test_parts_of_recordings_are_refused(tmp_path):
    for split in ("train", "dev", "test"):
        write_folder(tmp_path / "in" / split, {"a1": "ONE"})
    (tmp_path / "in/train/segments").write_text("a1 r 0 1\n")
    for words in (
        (data_texts, tmp_path / "in", tmp_path / "out"),
        (subset, tmp_path / "in/train", tmp_path / "out", 1),
    ):
        with pytest.raises(SystemExit, match="segments: expected a file for every"):
            run(*words)
