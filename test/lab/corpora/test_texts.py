import pytest
from factories import write_tables

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
    write_tables(folder, tables)


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


def test_parts_of_recordings_are_refused(tmp_path):
    for split in ("train", "dev", "test"):
        write_folder(tmp_path / "in" / split, {"a1": "ONE"})
    (tmp_path / "in/train/segments").write_text("a1 r 0 1\n")
    with pytest.raises(SystemExit, match="segments: expected a file for every"):
        run(data_texts, tmp_path / "in", tmp_path / "out")
