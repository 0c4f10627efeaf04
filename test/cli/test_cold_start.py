"""What speaks, edits, fills and encodes needs no ESPnet, and starts at once."""

import subprocess
import sys

import pytest
import soundfile
from factories import make_speech

FORBIDDEN = ("espnet", "espnet2", "transformers", "sklearn", "pandas", "s3prl")
PROGRAM = """
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden}:
            raise ImportError(f"{{name}} is forbidden")

sys.meta_path.insert(0, Forbid())
from espnet_uniwav.cli.uniwav import main

for command in {commands}:
    main(command)
"""


def commands(folder):
    """Each with the packaged model of its default."""
    wav, quick = f"{folder}/in.wav", ["--num_steps", "1"]
    said = ["--text", "the cat", "--replace", "cat", "--by", "dog"]
    number = "Dr. Who paid $5 on the 3rd."
    yield ["tts", "--text", number, "--output", f"{folder}/a.wav", *quick]
    yield ["edit", wav, f"{folder}/b.wav", *said, *quick]
    gap = ["--start", "0.5", "--end", "0.7"]
    yield ["infill", wav, f"{folder}/c.wav", "--checkpoint", "small", *gap, *quick]
    yield ["tokenize", f"{folder}/wav.scp", f"{folder}/codes"]
    yield ["detokenize", f"{folder}/codes", f"{folder}/decoded", *quick]


@pytest.mark.integration
def test_without_espnet(tmp_path):
    soundfile.write(tmp_path / "in.wav", make_speech([24000])[0][0].numpy(), 16000)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/in.wav\n")
    program = PROGRAM.format(forbidden=FORBIDDEN, commands=list(commands(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("*.wav"))) == 5, done.stdout
