"""A table, Kaldi folders, a plain folder: what data.py reads and writes."""

import numpy as np
import pytest
import soundfile
from corpus_case import RATE, noise, table, write, write_kaldi, write_table

from espnet_uniwav.io.pipe import ALLOW


def test_tables_are_sorted_complete_and_agree(prepare, tmp_path):
    for speaker in "ba":
        for number in range(3):
            write(tmp_path / f"in/{speaker}/my {number}.wav", noise(0.5, seed=number))
    result = prepare(tmp_path / "in")
    for name, wavs in result.splits.items():
        folder = result.out / name
        assert list(wavs) == sorted(wavs)
        for other in ("text", "utt2spk", "speech_shape"):
            assert list(table(folder / other)) == list(wavs)
        assert set(table(folder / "text").values()) == {"<unk>"}
        assert set(table(folder / "speech_shape").values()) == {"8000"}
        by_speaker = list(table(folder / "utt2spk").values())
        assert by_speaker == sorted(by_speaker)
    assert "a-my_0" in result.wavs and len(result.wavs) == 6
    tokens = (result.out / "token_list").read_text().split()
    assert tokens == ["<blank>", "<unk>", "<sos/eos>"]


def test_transcripts_table(prepare, corpus):
    write_table(
        corpus,
        [
            ("s1-a", "s1", "good0.wav", "ÇA  va", "train"),
            ("b", "s2", "good1.wav", "", "dev"),
            ("s3-c", "s3", str(corpus / "good2.wav"), "yes", "test"),
            ("s3-c", "s3", "good3.wav", "again", "test"),
            ("s4-d", "s4", "nowhere.wav", "gone", "train"),
            ("s5-e", "s5", "good3.wav", "what", "holiday"),
        ],
    )
    result = prepare(corpus)
    assert {k: list(v) for k, v in result.splits.items()} == {
        "train": ["s1-a"],
        "dev": ["s2-b"],
        "test": ["s3-c"],
    }
    assert table(result.out / "train/text") == {"s1-a": "ÇA va"}
    assert table(result.out / "dev/text") == {"s2-b": "<unk>"}
    assert result.skipped() == {
        "s3-c": "duplicate id",
        "s4-d": "missing",
        "s5-e": "unknown split",
    }


def test_pieces_of_a_cut_utterance_carry_no_transcript(prepare, corpus):
    write(corpus / "long.wav", noise(5))
    splits = ("dev", "test")
    rows = [(f"u{i}", "s", f"good{i}.wav", "short", splits[i]) for i in range(2)]
    write_table(corpus, [("u9", "s", "long.wav", "the long one", "train"), *rows])
    out = prepare(corpus, "--max_seconds", 3).out
    assert table(out / "train/text") == {"s-u9-p0001": "<unk>", "s-u9-p0002": "<unk>"}
    assert table(out / "dev/text")["s-u0"] == "short"


def test_table_without_path_is_an_error(prepare, corpus):
    write_table(corpus, [("a", "b")], columns=("utt", "file"))
    result = prepare(corpus)
    assert result.status == 1
    assert (
        "transcripts.tsv: expected the columns path, divided by '\\t', found utt, file"
        in result.words
    )


def test_kaldi_folder_with_segments(prepare, tmp_path):
    samples = noise(5)
    write(tmp_path / "call.wav", samples)
    segments = [f"s-{i} call {i} {i + 0.75}" for i in range(3)]
    segments += ["s-end call 4.5 -1", "s-back call 3 2", "s-who nobody 0 1"]
    segments += ["s-late call 9 10"]
    write_kaldi(
        tmp_path / "in",
        wav_scp=[f"call {tmp_path / 'call.wav'}"],
        segments=segments,
        utt2spk=[f"s-{i} s" for i in range(3)],
        text=["s-1 hello there"],
    )
    result = prepare(tmp_path / "in")
    assert sorted(result.wavs) == ["s-0", "s-1", "s-2", "s-end"]
    assert result.skipped() == {
        "s-back": "bad segment",
        "s-who": "bad segment",
        "s-late": "too short",
    }
    kept, _ = soundfile.read(result.wavs["s-1"], dtype="float32")
    np.testing.assert_allclose(kept, samples[RATE : RATE + 12000], atol=1e-4)
    texts = {
        k: v for n in result.splits for k, v in table(result.out / n / "text").items()
    }
    assert texts["s-1"] == "hello there" and texts["s-0"] == "<unk>"


def test_names_of_a_kaldi_folder_may_hold_other_spaces(prepare, tmp_path):
    """Only blanks and tabs divide columns; our own ids hold no space at all."""
    names = [f"x\u00a0{i}" for i in range(3)] + ["x\u30003"]
    for i in range(4):
        write(tmp_path / f"{i}.wav", noise(0.5, seed=i))
    write_kaldi(
        tmp_path / "in",
        wav_scp=[f"{name} {tmp_path}/{i}.wav" for i, name in enumerate(names)],
        utt2spk=[f"{name}\tx" for name in names],
        text=[f"{name} word {i}" for i, name in enumerate(names)],
    )
    result = prepare(tmp_path / "in")
    assert sorted(result.wavs) == [f"x_{i}" for i in range(4)]
    tables = {name: {} for name in ("utt2spk", "text")}
    for name, found in tables.items():
        for split in result.splits:
            found.update(table(result.out / split / name))
    assert set(tables["utt2spk"].values()) == {"x"}
    assert tables["text"] == {f"x_{i}": f"word {i}" for i in range(4)}


@pytest.mark.parametrize("allowed", [True, False])
def test_kaldi_folders_per_split_and_pipes(prepare, corpus, monkeypatch, allowed):
    monkeypatch.setenv(ALLOW, str(int(allowed)))
    for name in ("train", "dev"):
        write_kaldi(
            corpus / name,
            wav_scp=[
                f"{name}-file ../good0.wav",
                f"{name}-pipe cat '{corpus}/good1.wav' | ",
                f"{name}-fails false |",
            ],
        )
    result = prepare(corpus)
    if not allowed:
        assert sorted(result.wavs) == ["dev-file", "train-file"]
        assert set(result.skipped().values()) == {"commands are off"}
        return
    assert {"train-file", "train-pipe"} >= set(result.splits["train"])
    assert sorted(result.splits["dev"]) == ["dev-file", "dev-pipe"]
    assert result.skipped() == {
        "train-fails": "command failed",
        "dev-fails": "command failed",
    }
    piped = result.wavs["dev-pipe"]
    assert piped.endswith("out/audio/dev-pipe.flac")
    assert soundfile.info(piped).frames == 8000


def test_own_output_inside_the_corpus_is_not_read_again(prepare, tmp_path):
    for number in range(4):
        write(tmp_path / f"in/{number}.wav", noise(0.5, seed=number), 8000)
    first = prepare(tmp_path / "in", out="in/out")
    second = prepare(tmp_path / "in", out="in/out")
    assert len(first.wavs) == 4 and first.wavs == second.wavs
