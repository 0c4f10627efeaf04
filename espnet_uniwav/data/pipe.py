"""Shell commands in place of audio files, as Kaldi's ``wav.scp`` has them."""

from __future__ import annotations

import subprocess


class Pipe(str):
    """An entry ``command |`` of a ``wav.scp``: what the command prints is the audio.

    A type of its own, so that nothing but such an entry is ever run.
    """

    def read(self) -> bytes:
        """Run the command in a shell, as Kaldi and ESPnet do.

        Raises:
            ValueError: If it fails or prints nothing, with its last line of errors.
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
