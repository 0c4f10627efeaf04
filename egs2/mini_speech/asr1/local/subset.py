"""Keeps some minutes of a data folder, for recognition with few transcripts.

    python local/subset.py DATA OUT MINUTES

Utterances are taken in the order of their hashes, the same on every machine, until
MINUTES are reached; a larger subset holds every smaller one.
"""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import hash_share, read_table, refuse_segments
from espnet_uniwav.io.output import write_text

TABLES = ("wav.scp", "text", "utt2spk", "speech_shape", "alignment")


def keep_minutes(data: Path, out: Path, minutes: float) -> str:
    """Write the smaller data folder; say what is in it.

    Args:
        data: Data folder.
        out: Data folder to write.
        minutes: Minutes to keep.
    """
    refuse_segments(data)
    tables = {name: read_table(data / name) for name in TABLES}
    samples = {utt: int(value) for utt, value in tables["speech_shape"].items()}
    chosen = choose(samples, minutes * 60 * SAMPLE_RATE)
    if chosen is None:
        held = sum(samples.values()) / SAMPLE_RATE / 60
        raise ValueError(f"{data} holds {held:.1f} minutes: ask for fewer")
    for name, table in tables.items():
        if missing := [utt for utt in chosen if utt not in table]:
            raise ValueError(f"{data / name}: no line for {missing[0]}")
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        lines = (f"{utt} {table[utt]}\n" for utt in chosen)
        write_text(out / name, "".join(lines))
    speakers = {tables["utt2spk"][utt] for utt in chosen}
    return f"{out}: {len(chosen)} utterances of {len(speakers)} speakers"


def choose(samples: dict[str, int], total: float) -> list[str] | None:
    """The first utterances in hash order that reach ``total`` samples, sorted.

    Returns:
        None if all of them are too few.
    """
    chosen, reached = [], 0
    for utt in sorted(samples, key=hash_share):
        if reached >= total:
            return sorted(chosen)
        chosen.append(utt)
        reached += samples[utt]
    return sorted(chosen) if reached >= total else None


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(keep_minutes, "data out minutes", argv)


if __name__ == "__main__":
    main()
