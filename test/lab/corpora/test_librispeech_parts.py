import numpy as np
import pytest
import soundfile

from espnet_uniwav.lab.corpora.librispeech_parts import main


def run(*argv):
    main([str(word) for word in argv])


def test_data_folders(tmp_path):
    chapter = tmp_path / "corpus/dev-clean/84/121"
    chapter.mkdir(parents=True)
    for number in (0, 1):
        path = chapter / f"84-121-000{number}.flac"
        soundfile.write(path, np.zeros(8000 + number), 16000)
    (chapter / "84-121.trans.txt").write_text("84-121-0001 YES\n84-121-0000 OH NO\n")
    run(tmp_path / "corpus", tmp_path / "out", "dev-clean")
    tables = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert tables["text"] == "84-121-0000 OH NO\n84-121-0001 YES\n"
    assert tables["speech_shape"] == "84-121-0000 8000\n84-121-0001 8001\n"
    assert tables["spk2utt"] == "84 84-121-0000 84-121-0001\n"
    assert f"84-121-0001 {chapter / '84-121-0001.flac'}\n" in tables["wav.scp"]
    with pytest.raises(SystemExit, match="train-clean-100: no .*trans.txt there"):
        run(tmp_path / "corpus", tmp_path / "out", "train-clean-100")
