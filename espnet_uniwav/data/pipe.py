"""Shell commands instead of audio files, as in Kaldi's ``wav.scp``."""

from __future__ import annotations

import subprocess


class Pipe(str):
    """An entry ``command |`` of a ``wav.scp``: the output of the command is the audio.

    A separate type, so that only such entries are ever run.
    """

    def read(self) -> bytes:
        """Run the command in a shell, as Kaldi and ESPnet do.

        Raises:
            ValueError: If it fails or prints nothing, with the last line of stderr.
        """
        shell = self.rstrip("| ")
        done = subprocess.run(
            shell, shell=True, stdin=subprocess.DEVNULL, capture_output=True
        )
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = said[-1] if said else "no output"
        raise ValueError(f"command failed: exit {done.returncode}, {last}")
