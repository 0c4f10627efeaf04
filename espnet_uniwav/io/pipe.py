"""Shell commands instead of audio files, as in Kaldi's ``wav.scp``."""

from __future__ import annotations

import os
import subprocess

ALLOW = "UNIWAV_ALLOW_PIPES"
FIX = f"set {ALLOW}=1 to run them, if you trust the table"


def pipes_allowed() -> bool:
    """Whether the environment variable ``UNIWAV_ALLOW_PIPES`` is 1."""
    return os.environ.get(ALLOW) == "1"


class Pipe(str):
    """An entry ``command |`` of a ``wav.scp``: the output of the command is the audio.

    A separate type, so that only such entries are ever run.
    """

    def read(self) -> bytes:
        """Run the command in a shell, as Kaldi and ESPnet do.

        Raises:
            ValueError: If commands are not allowed; or if it fails or prints nothing,
                with the last line of stderr.
        """
        if not pipes_allowed():
            raise ValueError(f"commands are off: {FIX}")
        shell = self.rstrip("| ")
        done = subprocess.run(
            shell, shell=True, stdin=subprocess.DEVNULL, capture_output=True
        )
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = said[-1] if said else "no output"
        raise ValueError(
            f"command failed: exit {done.returncode}, {last}; try it in a shell"
        )
