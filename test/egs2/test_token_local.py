"""The token1 recipe's own script: the size of codes."""

import numpy as np
import pytest
from corpus_case import noise, write

from espnet_uniwav.apps.tokenizer.files import CodeWriter

SCRIPT = "mini_speech/token1/local/sizes.py"
NAMES = ("a1", "a2", "b1", "b2", "c1")


def test_sizes(run_script, tmp_path):
    for seed, name in enumerate(NAMES):
        write(tmp_path / f"{name}.wav", noise(2.5, seed=seed))
    table = "".join(f"{name} {tmp_path / name}.wav\n" for name in NAMES)
    (tmp_path / "wav.scp").write_text(table)
    with CodeWriter(tmp_path / "codes", 2) as writer:
        for name in NAMES:
            writer.write(name, np.full((2, 125), 1023))
    said = run_script(SCRIPT, tmp_path / "wav.scp", tmp_path / "codes")
    assert "5 utterances, 12 s" in said
    rows = [line.strip("| ").split(" | ") for line in said.splitlines()[4:]]
    rate = {name: float(kbits) for name, _, kbits in rows}
    assert rate["wav, 16 bit"] == pytest.approx(256, abs=0.5)
    assert rate[f"{tmp_path / 'codes'}, packed"] == pytest.approx(1.0, abs=0.01)
    CodeWriter(tmp_path / "empty", 2)
    with pytest.raises(SystemExit, match="lacks 5 of 5 names"):
        run_script(SCRIPT, tmp_path / "wav.scp", tmp_path / "empty")
