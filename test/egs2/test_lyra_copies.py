"""The token1 recipe's copies by Lyra's own codes, where Lyra is at hand."""

import numpy as np
import pytest
import soundfile
import torch
from factories import SHARED, write_data

REAL = SHARED / "lyra"
SCRIPT = "mini_librispeech/token1/local/lyra_copies.py"


@pytest.fixture
def lines(tmp_path):
    """Two recordings in a table of lines."""
    write_data(tmp_path, [8000, 4900])
    rows = "".join(f"utt{i}\t{tmp_path}/{i}.wav\n" for i in range(2))
    (tmp_path / "lines.tsv").write_text(f"name\treference\n{rows}")
    return tmp_path / "lines.tsv"


def test_more_codes_are_closer_to_the_latents(script, run_script, lines, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="no ai-edge-litert: extra lyra")
    if not REAL.is_dir():
        pytest.skip("no files of Lyra here")
    out = tmp_path / "out"
    argv = ["--num_codes", 16, 46, "--codec", REAL]
    assert "2 recordings" in run_script(SCRIPT, lines, out, *argv)
    for number in (16, 46):
        for i, length in enumerate((8000, 4900)):
            samples, rate = soundfile.read(out / f"{number}/utt{i}.wav")
            assert (len(samples), rate) == (length, 16000)
            assert np.abs(samples).max() > 0.05
    module = script(SCRIPT)
    quantizer = module.Quantizer(REAL / "quantizer.tflite")
    speech = torch.from_numpy(soundfile.read(tmp_path / "0.wav", dtype="float32")[0])
    raw = module.Lyra(REAL).analyse(speech[None])[0].numpy()
    errors = [
        sum(np.square(quantizer(frame, number) - frame).sum() for frame in raw)
        for number in (4, 16, 46)
    ]
    assert errors[0] > 1.2 * errors[1] > 1.2**2 * errors[2]


@pytest.mark.parametrize("number", (0, 47))
def test_a_number_of_codes_that_lyra_lacks(run_script, lines, tmp_path, number):
    with pytest.raises(SystemExit, match=f"--num_codes.* 1 to 46.*{number}"):
        run_script(SCRIPT, lines, tmp_path / "out", "--num_codes", number)
