"""Times of what was spoken, in the formats of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, write_ctm
from espnet_uniwav.apps.phones.from_text import PAUSES
from espnet_uniwav.apps.phones.lexicon import tokenize
from espnet_uniwav.apps.phones.markup import as_written
from espnet_uniwav.apps.phones.word_ends import is_marked, unmarked
from espnet_uniwav.io.output import check_output, write_text

FORMATS = (".srt", ".ctm", ".TextGrid")
NO_WORD_ENDS = "the tokens of this model do not say where words end: write .srt"


@dataclass(frozen=True)
class SpokenSentence:
    """A sentence as it was spoken.

    Attributes:
        text: As read, numbers and abbreviations in words; ``{word|PH_PH}`` where the
            phones were given.
        tokens: Tokens with their times in all of the speech (seconds).
        speech: (S,) samples; all but the first sentence begin with a pause.
    """

    text: str
    tokens: list[Segment]
    speech: np.ndarray

    @property
    def phones(self) -> list[Segment]:
        """The tokens, without marks of word ends."""
        return [Segment(own.start, own.end, unmarked(own.label)) for own in self.tokens]

    @property
    def words(self) -> list[Segment]:
        """Words in lower case; none if the tokens do not say where words end."""
        labels = [
            as_written(word)
            for phrase in PAUSES.split(self.text)
            for _, word in tokenize(phrase)
        ]
        spans, start = [], None
        for own in self.tokens:
            if own.label == SILENCE:
                continue
            start = own.start if start is None else start
            if is_marked(own.label):
                spans.append((start, own.end))
                start = None
        if len(spans) != len(labels):
            return []
        return [Segment(*span, label) for span, label in zip(spans, labels)]


def segments(
    names: Sequence[str], durations: Sequence[int], start: float, frame_rate: float
) -> list[Segment]:
    """Tokens one after another.

    Args:
        names: Of the tokens.
        durations: Frames of each.
        start: Of the first one (seconds).
        frame_rate: Hz.
    """
    ends = np.cumsum(durations) / frame_rate + start
    starts = [start, *ends[:-1]]
    return [Segment(float(s), float(e), n) for s, e, n in zip(starts, ends, names)]


def check_times(path: str | Path, lines: str | Path | None, output: Path) -> None:
    """Refuse times that cannot be written, before anything is computed.

    Args:
        path: See ``write_times``.
        lines: Table of texts, whose times are not written.
        output: Of the speech; nor are those of standard output.

    Raises:
        ValueError, OSError: Naming the path and what to do.
    """
    if lines or str(output) == "-":
        raise ValueError("--times: expected one --text that is written to a file")
    if Path(path).suffix not in FORMATS:
        raise ValueError(
            f"--times {path}: expected a name that ends in {', '.join(FORMATS)}"
        )
    check_output(path)


def check_word_ends(path: str | Path, token_list: Sequence[str]) -> None:
    """Refuse times of words that a model does not know.

    Args:
        path: See ``write_times``.
        token_list: The tokens of the model.

    Raises:
        ValueError: If none of them ends a word, but for .srt.
    """
    if Path(path).suffix != ".srt" and not any(map(is_marked, token_list)):
        raise ValueError(f"--times {path}: {NO_WORD_ENDS}")


def write_times(path: str | Path, sentences: Sequence[SpokenSentence]) -> None:
    """Write the times of sentences (.srt), words (.ctm), or also phones (.TextGrid).

    Raises:
        ValueError: If the tokens do not say where words end, but for .srt.
        OSError: If it cannot be written.
    """
    path = Path(path)
    if path.suffix == ".srt":
        write_text(path, "\n".join(map(_caption, range(1, 10**6), sentences)))
        return
    words = [word for own in sentences for word in own.words]
    if not words:
        raise ValueError(f"{path}: {NO_WORD_ENDS}")
    if path.suffix == ".ctm":
        write_ctm(path, {path.stem.replace(" ", "_"): words})
        return
    phones = [phone for own in sentences for phone in own.phones]
    write_text(path, text_grid({"words": words, "phones": phones}))


def _caption(number: int, sentence: SpokenSentence) -> str:
    first, last = sentence.tokens[0], sentence.tokens[-1]
    text = as_written(sentence.text)
    return f"{number}\n{_clock(first.start)} --> {_clock(last.end)}\n{text}\n"


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60000)
    hours, minutes = divmod(minutes, 60)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02},{milliseconds:03}"


def text_grid(tiers: dict[str, Sequence[Segment]]) -> str:
    """Interval tiers in Praat's long text format; gaps are empty intervals.

    Args:
        tiers: Name -> segments in order of time, at least one.
    """
    end = max(own[-1].end for own in tiers.values())
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {end:.4f}", "tiers? <exists>"]
    lines += [f"size = {len(tiers)}", "item []:"]
    for number, (name, own) in enumerate(tiers.items(), 1):
        filled = _without_gaps(own, end)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"']
        lines += [f'        name = "{name}"', "        xmin = 0"]
        lines += [f"        xmax = {end:.4f}"]
        lines += [f"        intervals: size = {len(filled)}"]
        for place, segment in enumerate(filled, 1):
            lines += [f"        intervals [{place}]:"]
            lines += [f"            xmin = {segment.start:.4f}"]
            lines += [f"            xmax = {segment.end:.4f}"]
            lines += [f'            text = "{segment.label}"']
    return "\n".join(lines) + "\n"


def _without_gaps(own: Sequence[Segment], end: float) -> list[Segment]:
    filled, last = [], 0.0
    for segment in [*own, Segment(end, end, "")]:
        if segment.start - last > 1e-6:
            filled.append(Segment(last, segment.start, ""))
        if segment.duration > 0:
            filled.append(segment)
        last = segment.end
    return filled
