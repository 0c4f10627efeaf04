"""Lists the lines to synthesise and score: held-out texts, prompts of their speakers.

    python -m espnet_uniwav.apps.tts.pick_lines SET ALIGN OUT [--prompts SET ALIGN]

The prompt of an utterance is the start of another one of the same speaker, which says
something else, cut after a word within --seconds; it is written to OUT/prompts.
OUT/predicted.tsv has the text alone, OUT/aligned.tsv also the phones and durations of
the recording. Both are tables for `uniwav tts --lines` and `uniwav score`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from espnet_uniwav.apps.phones.ctm import Segment, read_ctm
from espnet_uniwav.apps.tts.lines import Line, write_lines
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE, as_file, read_speech, write_speech
from espnet_uniwav.io.kaldi import (
    Utterance,
    draw_one,
    read_data_folder,
    read_table,
    thin,
)

MIN_SHARE = 0.5


def pick(
    data: Path,
    alignment: Path,
    out: Path,
    prompts: tuple[Path, Path] | None = None,
    seconds: float = 3.0,
    min_words: int = 3,
    num_lines: int | None = None,
) -> str:
    """Write the tables and the prompts; say how many.

    Args:
        data: Data folder.
        alignment: Output folder of ``uniwav align``.
        out: Folder to write.
        prompts: Data folder and alignment that prompts are from; None: the same.
        seconds: Length of a prompt.
        min_words: Words of a text, at least.
        num_lines: Number of lines, evenly spread; None: all.
    """
    voices = cut_prompts(*prompts or (data, alignment), out / "prompts", seconds)
    phones, durations = (read_table(data / name) for name in ("phones", "durations"))
    lines, left_out, recordings = [], 0, out / "recordings"
    for utterance in read_data_folder(data / "wav.scp"):
        prompt = choose(voices.get(utterance.speaker, []), utterance)
        enough = len(utterance.text.split()) >= min_words
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
            f"{data}: none of {left_out} utterances has durations, "
            f"{min_words} words, and another utterance of its speaker that "
            f"begins with {MIN_SHARE * seconds} s of words"
        )
    lines = thin(lines, num_lines)
    write_lines(out / "aligned.tsv", lines)
    write_lines(
        out / "predicted.tsv",
        [replace(line, phones="", durations="") for line in lines],
    )
    return f"{out}: {len(lines)} lines, {left_out} utterances left out"


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
    """Run the script."""
    run_script(pick, "data alignment out", argv)


if __name__ == "__main__":
    main()
