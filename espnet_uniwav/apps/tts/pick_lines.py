"""Lists the lines to synthesise and score: held-out texts, prompts of their speakers.

    python -m espnet_uniwav.apps.tts.pick_lines SET ALIGN OUT [--prompts SET ALIGN]

The prompt of an utterance is the start of another one of the same speaker, which says
something else, cut after a word within --seconds; it is written to OUT/prompts.
OUT/predicted.tsv has the text alone, OUT/aligned.tsv also the phones and durations of
the recording. Both are tables for `uniwav tts --lines` and `uniwav score`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from espnet_uniwav.apps.phones.ctm import Segment, read_ctm
from espnet_uniwav.apps.tts.lines import Line, write_lines
from espnet_uniwav.cli.command import run_command
from espnet_uniwav.io.audio import SAMPLE_RATE, as_file, read_speech, write_speech
from espnet_uniwav.io.kaldi import (
    Utterance,
    draw_one,
    read_data_folder,
    read_table,
    thin,
)

MIN_SHARE = 0.5


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="espnet_uniwav.apps.tts.pick_lines", description=__doc__.split("\n")[0]
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("alignment", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompts", type=Path, nargs=2, metavar=("SET", "ALIGNMENT"))
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a prompt")
    parser.add_argument(
        "--min_words", type=int, default=3, help="words of a text, at least"
    )
    parser.add_argument("--num_lines", type=int, help="keep so many, evenly spaced")
    return parser


def pick(args: argparse.Namespace) -> str:
    """Write the tables and the prompts; say how many."""
    folder, alignment = args.prompts or (args.data, args.alignment)
    prompts = cut_prompts(folder, alignment, args.out / "prompts", args.seconds)
    phones, durations = (
        read_table(args.data / name) for name in ("phones", "durations")
    )
    lines, left_out, recordings = [], 0, args.out / "recordings"
    for utterance in read_data_folder(args.data / "wav.scp"):
        prompt = choose(prompts.get(utterance.speaker, []), utterance)
        enough = len(utterance.text.split()) >= args.min_words
        if prompt is None or not enough or utterance.name not in phones:
            left_out += 1
            continue
        name = utterance.name
        lines.append(
            Line(
                name=name,
                text=utterance.text.lower(),
                prompt=str(prompt.path),
                prompt_text=prompt.text.lower(),
                phones=phones[name],
                durations=durations[name],
                reference=str(as_file(utterance.path, recordings, name)),
                speaker=utterance.speaker,
            )
        )
    if not lines:
        raise ValueError(
            f"{args.data}: none of {left_out} utterances has durations, "
            f"{args.min_words} words, and another utterance of its speaker that "
            f"begins with {MIN_SHARE * args.seconds} s of words"
        )
    lines = thin(lines, args.num_lines)
    write_lines(args.out / "aligned.tsv", lines)
    write_lines(
        args.out / "predicted.tsv",
        [replace(line, phones="", durations="") for line in lines],
    )
    return f"{args.out}: {len(lines)} lines, {left_out} utterances left out"


def cut_prompts(
    data: Path, alignment: Path, out: Path, seconds: float
) -> dict[str, list[Utterance]]:
    """Cut the start of every utterance after a word; speaker -> prompts by name."""
    out.mkdir(parents=True, exist_ok=True)
    words = read_ctm(alignment / "words.ctm")
    prompts: dict[str, list[Utterance]] = {}
    for utterance in read_data_folder(data / "wav.scp"):
        end, text = start_of(words.get(utterance.name, []), seconds)
        if end < MIN_SHARE * seconds:
            continue
        path = (out / f"{utterance.name}.wav").absolute()
        speech = read_speech(utterance.path, SAMPLE_RATE)
        write_speech(path, speech[: round(end * SAMPLE_RATE)], SAMPLE_RATE)
        prompt = Utterance(utterance.name, path, utterance.speaker, text)
        prompts.setdefault(utterance.speaker, []).append(prompt)
    return prompts


def start_of(words: list[Segment], seconds: float) -> tuple[float, str]:
    """End and text of the words that fit into so many seconds."""
    fitting = [word for word in words if word.end <= seconds]
    return (fitting[-1].end if fitting else 0.0), " ".join(w.label for w in fitting)


def choose(prompts: list[Utterance], utterance: Utterance) -> Utterance | None:
    """A pseudo-random prompt of the same speaker, the same on every machine.

    It shares no three consecutive words with the text.
    """
    own = phrases(utterance.text)
    others = [
        prompt
        for prompt in prompts
        if prompt.name != utterance.name and not own & phrases(prompt.text)
    ]
    return draw_one(utterance.name, others)


def phrases(text: str) -> set[tuple[str, ...]]:
    """All sequences of three words in a text."""
    words = text.lower().split()
    return set(zip(words, words[1:], words[2:]))


def main(argv: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), pick, argv)


if __name__ == "__main__":
    main()
