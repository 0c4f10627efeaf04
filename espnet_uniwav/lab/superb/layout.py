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
from espnet_uniwav.lab.superb.folders import fresh_folder
from espnet_uniwav.lab.superb.identification import write_sid
from espnet_uniwav.lab.superb.transcribed import write_asr, write_pr
from espnet_uniwav.lab.superb.utterances import read_folders
from espnet_uniwav.lab.superb.verification import write_asv

WRITERS = {"pr": write_pr, "asr": write_asr, "sid": write_sid, "asv": write_asv}


def prepare(
    data: Path,
    out: Path,
    tasks: Sequence[Literal["pr", "asr", "sid", "asv"]] = ("pr", "asr", "sid", "asv"),
    groups: Sequence[str] = (),
    oov: Literal["guess", "drop"] = "guess",
) -> None:
    """Write the folders of the tasks.

    Args:
        data: Folder of data folders train, dev and test.
        out: Folder to write.
        tasks: Tasks to prepare.
        groups: NAME=REGEX of speakers that are scored separately: those with a matching
            line of wav.scp.
        oov: Task pr: guess words that the lexicon lacks, or drop their utterances.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    utterances = read_folders(data, dict(_parse_group(entry) for entry in groups))
    for task in tasks:
        options = {"oov": oov} if task == "pr" else {}
        print("\n".join(WRITERS[task](utterances, fresh_folder(out / task), **options)))


def _parse_group(entry: str) -> tuple[str, str]:
    name, found, regex = entry.partition("=")
    if not (name and found and regex) or "," in name or name == "all":
        raise ValueError(
            f"--groups {entry}: expected NAME=REGEX, no comma in NAME, and not `all`"
        )
    return name, regex


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(prepare, "data out", argv)


if __name__ == "__main__":
    main()
