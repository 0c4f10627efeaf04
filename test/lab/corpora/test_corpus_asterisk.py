"""The default corpus, with a fake package instead of apt's."""

import numpy as np
import pytest
import soundfile
from corpus_case import RATE, noise

from espnet_uniwav.lab.corpora import asterisk


@pytest.mark.parametrize(
    "name, text, speech",
    [
        ("added", "Added.", True),
        ("letters/at", "at [@]", True),
        ("beeperr", "[ tono de error ]", False),
        ("confbridge-join", "un suono di beep ascendente", False),
        ("silence/3", "", False),
        ("is", "", True),
    ],
)
def test_asterisk_tells_words_from_tones(name, text, speech):
    assert asterisk.is_speech(name, text) == speech


def test_asterisk_without_apt_asks_for_a_corpus(monkeypatch, tmp_path):
    pytest.importorskip("G722")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get is not on this machine.*CORPUS=DIR"):
        asterisk.main([str(tmp_path / "out")])


def test_asterisk_decodes_and_finishes_once(monkeypatch, tmp_path):
    """A made-up package stands in for apt's; a second call fetches nothing."""
    coder = pytest.importorskip("G722").G722(RATE, 64000)

    def fake_download(names, packages):
        root = packages / "unpacked/usr/share"
        prompts = {"added": 1.0, "digits/1": 0.6, "vm-and": 0.2, "beep": 1.0}
        for name, seconds in prompts.items():
            path = root / f"asterisk/sounds/en_US_f_Allison/{name}.g722"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = (20000 * noise(seconds)).astype(np.int16)
            path.write_bytes(coder.encode(samples))
        docs = root / "doc/asterisk-core-sounds-en"
        docs.mkdir(parents=True)
        (docs / "copyright").write_text("CC-BY-SA-3.0 in full")
        with asterisk.gzip.open(docs / "core-sounds-en.txt.gz", "wt") as lines:
            lines.write("; comment\n\nadded: Added.\ndigits/1: one [1]\nvm-and: and\n")

    monkeypatch.setattr(asterisk, "download", fake_download)
    argv = ["--languages", "en", "--nj", "1", str(tmp_path / "out")]
    asterisk.main(argv)
    rows = asterisk._read_rows(tmp_path / "out")
    assert [row["utt"] for row in rows] == ["Allison-en-added", "Allison-en-digits-1"]
    assert [row["text"] for row in rows] == ["Added.", "one [1]"]
    assert soundfile.info(tmp_path / "out" / rows[1]["path"]).duration == 0.6
    assert "CC-BY-SA-3.0 in full" in (tmp_path / "out/LICENSE").read_text()
    monkeypatch.setattr(asterisk, "download", None)
    asterisk.main(argv)
    assert {row["split"] for row in rows} == {"train"}
    asterisk.main([*argv, "--test_share", "0.95"])
    rows = asterisk._read_rows(tmp_path / "out")
    assert {row["split"] for row in rows} == {"test"}
