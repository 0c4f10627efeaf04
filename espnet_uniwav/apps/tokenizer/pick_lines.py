"""Lists the utterances to encode, decode and score, and the voices to compare with.

    python -m espnet_uniwav.apps.tokenizer.pick_lines SET OUT

OUT/wav.scp names the recordings. OUT/lines.tsv compares them with another recording of
their speaker; OUT/voices.tsv with one of another speaker (OUT/voices.scp), in whose
voice the codes of OUT/wav.scp are decoded. Both are tables for `uniwav score`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from espnet_uniwav.apps.tts.lines import Line, write_lines
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import as_file, seconds_of
from espnet_uniwav.io.kaldi import Utterance, draw_one, read_data_folder, thin
from espnet_uniwav.io.output import write_text

MIN_WORDS = 3
SECONDS = 2.0, 15.0


def pick(data: Path, out: Path, num_lines: int | None = None) -> str:
    """Write the tables; say how many.

    Args:
        data: Data folder.
        out: Folder to write.
        num_lines: Number of lines, evenly spread; None: all.
    """
    found = read_data_folder(data / "wav.scp")
    voices = [u for u in found if SECONDS[0] <= seconds_of(u.path) <= SECONDS[1]]
    spoken = [u for u in found if len(u.text.split()) >= MIN_WORDS]
    pairs = [(u, draw_one(u.name, own_voices(u, voices))) for u in spoken]
    pairs = thin([pair for pair in pairs if pair[1]], num_lines)
    if not pairs:
        raise ValueError(
            f"{data}: no utterance has {MIN_WORDS} words, and another of its "
            f"speaker of {SECONDS[0]} to {SECONDS[1]} s"
        )
    out.mkdir(parents=True, exist_ok=True)
    others = [(u, draw_one(u.name, other_voices(u, voices))) for u, _ in pairs]
    pairs = [on_disk(pair, out / "recordings") for pair in pairs]
    write_lines(out / "lines.tsv", [line(*pair) for pair in pairs])
    write_table(out / "wav.scp", {u.name: u.path for u, _ in pairs})
    if all(voice for _, voice in others):
        others = [on_disk(pair, out / "recordings") for pair in others]
        write_lines(out / "voices.tsv", [line(*pair) for pair in others])
        write_table(out / "voices.scp", {u.name: v.path for u, v in others})
    return f"{out}: {len(pairs)} of {len(found)} utterances"


def own_voices(utterance: Utterance, voices: list[Utterance]) -> list[Utterance]:
    """Other recordings of the speaker."""
    same = [v for v in voices if v.speaker == utterance.speaker]
    return [v for v in same if v.name != utterance.name]


def other_voices(utterance: Utterance, voices: list[Utterance]) -> list[Utterance]:
    """Recordings of other speakers."""
    return [v for v in voices if v.speaker != utterance.speaker]


def on_disk(pair: tuple[Utterance, ...], folder: Path) -> tuple[Utterance, ...]:
    """Utterances with recordings that any program can read, see ``as_file``."""
    return tuple(replace(u, path=as_file(u.path, folder, u.name)) for u in pair)


def line(utterance: Utterance, voice: Utterance) -> Line:
    """Text, recording, and the recording whose voice it is compared with."""
    return Line(
        name=utterance.name,
        text=utterance.text.lower(),
        prompt=str(voice.path),
        prompt_text=voice.text.lower(),
        reference=str(utterance.path),
        speaker=utterance.speaker,
    )


def write_table(path: Path, table: dict[str, Path]) -> None:
    """Write a table that Kaldi reads."""
    write_text(path, "".join(f"{name} {value}\n" for name, value in table.items()))


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(pick, "data out", argv)


if __name__ == "__main__":
    main()
