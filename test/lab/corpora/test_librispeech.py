"""Mini LibriSpeech: both layouts, what is missing, and more corpora beside it."""

import hashlib
import tarfile

import numpy as np
import pytest
import soundfile
from file_server import serve

from espnet_uniwav.io.download import Archive
from espnet_uniwav.lab.corpora import librispeech
from espnet_uniwav.lab.corpora.transcripts import SPLITS, Transcript, read_transcripts

COLUMNS = ("utt", "speaker", "path", "seconds", "text", "split", "source")
READERS = {
    "train-clean-5": ("11", "12"),
    "dev-clean-2": ("21",),
    "test-clean": ("31",),
}


def write_librispeech(root, readers=READERS):
    """LibriSpeech's layout with two chapters of one utterance a reader."""
    for part, speakers in readers.items():
        for speaker, chapter in ((s, c) for s in speakers for c in ("1", "2")):
            folder = root / part / speaker / chapter
            folder.mkdir(parents=True)
            utt = f"{speaker}-{chapter}-0000"
            samples = 0.1 * np.random.default_rng(0).standard_normal(8000)
            soundfile.write(folder / f"{utt}.flac", samples, 16000)
            line = f"{utt} {speaker} SAYS YES\n"
            (folder / f"{speaker}-{chapter}.trans.txt").write_text(line)
    return root


def write_copy(folder, rows):
    """A corpus folder; rows are (utt, speaker, split, source)."""
    folder.mkdir()
    lines = ["\t".join(COLUMNS)]
    for utt, speaker, split, source in rows:
        path = f"audio/{utt}.opus"
        lines.append("\t".join((utt, speaker, path, "1.5", "YES", split, source)))
    (folder / "transcripts.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def copy(tmp_path):
    """Five speakers of train-clean-5, one of test-clean, one of something else."""
    train = [(f"{s}-0", s, "train", "ls_train_clean_5") for s in "abcde"]
    others = [
        ("t-0", "t", "test", "ls_test_clean_40x4"),
        ("v-0", "v", "train", "vctk"),
    ]
    return write_copy(tmp_path / "copy", train + others)


@pytest.fixture
def build(tmp_path):
    def run(*argv):
        librispeech.main([str(tmp_path / "out"), *map(str, argv)])
        rows = read_transcripts(tmp_path / "out")
        return {s: {r.utt for r in rows if r.split == s} for s in SPLITS}

    return run


@pytest.mark.parametrize("below", ["", "LibriSpeech"])
def test_layout(build, tmp_path, capsys, below):
    root = write_librispeech(tmp_path / "in" / below)
    found = build("--librispeech", tmp_path / "in")
    assert found["train"] == {"11-1-0000", "11-2-0000", "12-1-0000", "12-2-0000"}
    assert found["dev"] == {"21-1-0000", "21-2-0000"}
    assert found["test"] == {"31-1-0000", "31-2-0000"}
    row = next(r for r in read_transcripts(tmp_path / "out") if r.utt == "11-2-0000")
    assert row == Transcript(
        "11-2-0000",
        "11",
        str(root / "train-clean-5/11/2/11-2-0000.flac"),
        0.5,
        "11 SAYS YES",
        "train",
        "train-clean-5",
    )
    said = capsys.readouterr().out
    assert "train      4 utterances    0.00 h    2 speakers  train-clean-5 4\n" in said


@pytest.mark.parametrize("part", ["train-clean-5", "dev-clean-2"])
def test_a_missing_part_is_named(build, tmp_path, part):
    readers = {name: own for name, own in READERS.items() if name != part}
    write_librispeech(tmp_path / "in", readers)
    with pytest.raises(SystemExit, match=f"in/{part}: no .*trans.txt there"):
        build("--librispeech", tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_without_test_clean(build, tmp_path, capsys):
    readers = {name: READERS[name] for name in ("train-clean-5", "dev-clean-2")}
    write_librispeech(tmp_path / "in", readers)
    found = build("--librispeech", tmp_path / "in")
    assert not found["test"] and len(found["train"]) == 4
    assert "no test-clean in" in capsys.readouterr().out


def test_bad_recordings_and_transcripts_are_named(build, tmp_path):
    root = write_librispeech(tmp_path / "in")
    audio = root / "dev-clean-2/21/1/21-1-0000.flac"
    audio.write_bytes(b"no audio")
    with pytest.raises(SystemExit, match="21-1-0000.flac: cannot be read as audio"):
        build("--librispeech", root)
    audio.unlink()
    with pytest.raises(SystemExit, match="21-1-0000.flac: no such audio file"):
        build("--librispeech", root)
    audio.with_name("21-1.trans.txt").write_text("21-1-0000\n")
    with pytest.raises(SystemExit, match="21-1.trans.txt: expected `utt text`"):
        build("--librispeech", root)


def test_a_copy_holds_speakers_out(build, copy, tmp_path, capsys):
    found = build("--librispeech", copy)
    assert len(found["dev"]) == 3 and len(found["train"]) == 2
    assert found["dev"] | found["train"] == {f"{s}-0" for s in "abcde"}
    assert found["test"] == {"t-0"}
    names = ", ".join(sorted(utt[0] for utt in found["dev"]))
    assert f"the speakers {names} of train-clean-5 are held out" in (
        capsys.readouterr().out
    )
    assert build("--librispeech", copy) == found
    held_out = min(found["dev"])[0]
    more = [("m-0", held_out, "train", "x")]
    again = build("--librispeech", copy, "--more", write_copy(tmp_path / "more", more))
    assert again["dev"] == found["dev"] | {"m-0"}


def test_a_copy_with_dev_clean_2(build, tmp_path):
    rows = [("a-0", "a", "train", "ls_train_clean_5")]
    rows += [("d-0", "d", "train", "ls_dev_clean_2")]
    found = build("--librispeech", write_copy(tmp_path / "copy", rows))
    assert found == {"train": {"a-0"}, "dev": {"d-0"}, "test": set()}


def test_too_few_speakers_to_hold_out(build, tmp_path):
    rows = [(f"{s}-0", s, "train", "ls_train_clean_5") for s in "abc"]
    with pytest.raises(SystemExit, match="3 speakers of train-clean-5: expected more"):
        build("--librispeech", write_copy(tmp_path / "copy", rows))


def test_all_and_more(build, copy, tmp_path):
    more = [("m-0", "m", "train", "x"), ("n-0", "n", "dev", "x")]
    more += [("o-0", "o", "test", "x"), ("a-0", "a", "test", "x")]
    more = write_copy(tmp_path / "more", more)
    found = build("--librispeech", copy, "--more", more)
    assert found["train"] == {f"{s}-0" for s in "abcdem"}
    assert found["dev"] == {"n-0"} and found["test"] == {"t-0", "o-0"}
    found = build("--librispeech", copy, "--all", "--more", more)
    assert found["train"] == {f"{s}-0" for s in "abcdemv"}
    rows = {row.utt: row for row in read_transcripts(tmp_path / "out")}
    assert rows["v-0"].source == "vctk" and rows["m-0"].source == "x"
    assert rows["m-0"].path == str(more / "audio/m-0.opus")


def test_speakers_in_train_and_test_are_told(build, copy, tmp_path, capsys):
    more = write_copy(tmp_path / "more", [("a-9", "a", "test", "x")])
    build("--librispeech", copy, "--more", more)
    said = capsys.readouterr().out
    assert "WARNING: speakers of dev or test are also in train: ['a']" in said


def test_all_needs_a_table(build, tmp_path):
    write_librispeech(tmp_path / "in")
    with pytest.raises(SystemExit, match="--all: expected a transcripts.tsv in"):
        build("--librispeech", tmp_path / "in", "--all")


def test_a_folder_without_librispeech(build, tmp_path):
    with pytest.raises(SystemExit, match="expected train-clean-5, .*found neither"):
        build("--librispeech", tmp_path)
    copy = write_copy(tmp_path / "copy", [("v-0", "v", "train", "vctk")])
    with pytest.raises(SystemExit, match="no row has the source train-clean-5"):
        build("--librispeech", copy)


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Tiny archives in the place of the three real ones; path -> content."""
    files, known = {}, {}
    for part, readers in READERS.items():
        root = write_librispeech(tmp_path / "packed" / part, {part: readers})
        path = tmp_path / f"{part}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(root, "LibriSpeech")
        content = path.read_bytes()
        place = librispeech.ARCHIVES[part].place
        files[f"/{place}"] = content
        digest = hashlib.md5(content).hexdigest()
        known[part] = Archive(place, len(content), digest)
    monkeypatch.setattr(librispeech, "ARCHIVES", known)
    return files


def test_download(build, archives, tmp_path, monkeypatch):
    with serve(archives) as server:
        server.breaks_after = [200]
        monkeypatch.setattr(librispeech, "MIRRORS", (server.url,))
        found = build("--downloads", tmp_path / "downloads")
        assert {split: len(utts) for split, utts in found.items()} == {
            "train": 4,
            "dev": 2,
            "test": 2,
        }
        assert server.ranges == [None, "bytes=200-", None, None]
        assert build("--downloads", tmp_path / "downloads") == found
        assert len(server.ranges) == 4
    home = tmp_path / "downloads/LibriSpeech"
    assert build("--librispeech", home) == found


def test_without_a_network(build, archives, tmp_path, monkeypatch):
    monkeypatch.setattr(librispeech, "MIRRORS", ("http://127.0.0.1:9",))
    said = "download http.*/31/train.* http.*/12/test.* by hand into .*--librispeech"
    with pytest.raises(SystemExit, match=said) as error:
        build()
    assert "\n" not in str(error.value)


def test_the_real_archives_are_those_of_openslr():
    places = [archive.place for archive in librispeech.ARCHIVES.values()]
    assert places == [f"31/{p}.tar.gz" for p in ("train-clean-5", "dev-clean-2")] + [
        "12/test-clean.tar.gz"
    ]
    assert list(librispeech.ARCHIVES) == list(librispeech.PARTS.values())
