"""Lays data folders out as S3PRL's SUPERB tasks expect them.

    python -m espnet_uniwav.lab.superb.layout DATA OUT [--tasks pr asr sid asv]

DATA holds the Kaldi-style folders train, dev and test. Audio is linked, not copied.
Every task has its own folder below OUT, with a list of its utterances, utterances.tsv.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.lab.superb.recognition import write_asr, write_pr
from espnet_uniwav.lab.superb.speakers import write_asv, write_sid
from espnet_uniwav.lab.superb.utterances import fresh_folder, read_folders

WRITERS = {"pr": write_pr, "asr": write_asr, "sid": write_sid, "asv": write_asv}


def prepare(
    data: Path,
    out: Path,
    tasks: Sequence[Literal["pr", "asr", "sid", "asv"]] = ("pr", "asr", "sid", "asv"),
) -> None:
    """Write the folders of the tasks.

    Args:
        data: Folder of data folders train, dev and test.
        out: Folder to write.
        tasks: Tasks to prepare.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    utterances = read_folders(data)
    for task in tasks:
        print(f"{task:5} {WRITERS[task](utterances, fresh_folder(out / task))}")


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(prepare, "data out", argv)


if __name__ == "__main__":
    main()
