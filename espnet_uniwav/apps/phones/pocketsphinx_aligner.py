"""Alignments by PocketSphinx with the English GMM in its wheel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from espnet_uniwav.apps.phones.alignment import Alignment
from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, check_segments
from espnet_uniwav.apps.phones.g2p import spell
from espnet_uniwav.apps.phones.lexicon import ARPABET, pronounce, tokenize
from espnet_uniwav.io.audio import SAMPLE_RATE, read_speech

WINDOW, HOP = 410, 160
# Pruning of the search: PocketSphinx's own beams, then wider ones.
BEAMS = ((1e-48, 7e-29), (1e-100, 1e-80), (1e-200, 1e-160))


class PocketSphinxAligner:
    """Aligns utterances with English texts.

    The first pass finds words and silences and chooses among the pronunciations of
    the dictionary; the second pass finds the phones. A failed search is repeated with
    wider beams. The best-path search in the lattice is off, because it can give words
    of one frame, in which the second pass finds no phones. The noise estimate is reset
    before every pass, so that utterances do not affect each other.

    Args:
        spell: Guesses the phones of a word of the letters a to z that the dictionary
            lacks.
        lexicon: Word in lower case -> phones, of words that the dictionary lacks.
    """

    def __init__(
        self,
        spell: Callable[[str], list[str]] = spell,
        lexicon: Mapping[str, Sequence[str]] = {},
    ):
        self.spell, self.lexicon = spell, lexicon
        self._learnt: dict[str, list[str]] = {}
        self._decoders = {}

    def __call__(self, utterance) -> Alignment:
        """Align one utterance with a ``name``, a ``path`` and a ``text``.

        Raises:
            OSError, ValueError: If the audio or the text cannot be used, or if they
                do not belong together.
        """
        pairs = tokenize(utterance.text)
        if not pairs:
            raise ValueError("no text")
        for _, word in pairs:
            self._learn(word)
        speech = read_speech(utterance.path, SAMPLE_RATE)
        seconds = len(speech) / SAMPLE_RATE
        samples = (speech * 32768).round().clip(-32768, 32767).astype(np.int16)
        for beams in BEAMS:
            entries = self._search(beams, [word for _, word in pairs], samples)
            if entries:
                return _alignment(utterance.name, entries, pairs, seconds)
        raise ValueError(
            f"{len(pairs)} words were not found in {seconds:.2f} s of audio, with any "
            "beam: does the text belong to it?"
        )

    def lookup(self, word: str) -> list[str] | None:
        """Phones of a lower-case word: PocketSphinx's, else the lexicon's, or None."""
        phones = self._decoder(BEAMS[0]).lookup_word(word)
        return phones.split() if phones else self.lexicon.get(word)

    def _learn(self, word: str) -> None:
        """Add a word to the dictionary if it is not there."""
        if self._decoder(BEAMS[0]).lookup_word(word):
            return
        self._learnt[word] = pronounce(word, self.lookup, self.spell)
        for decoder in self._decoders.values():
            decoder.add_word(word, " ".join(self._learnt[word]), False)

    def _decoder(self, beams: tuple[float, float]):
        """The decoder with these beams, made on first use."""
        if beams not in self._decoders:
            from pocketsphinx import Decoder

            beam, word_beam = beams
            decoder = Decoder(
                lm=None,
                beam=beam,
                pbeam=beam,
                wbeam=word_beam,
                bestpath=False,
                loglevel="FATAL",
            )
            for word, phones in self._learnt.items():
                decoder.add_word(word, " ".join(phones), False)
            self._decoders[beams] = decoder
        return self._decoders[beams]

    def _search(self, beams, words: list[str], samples: np.ndarray):
        """Run both passes.

        Returns:
            (word, first frame, [(phone, first frame)]) of words and silences in order
            of time, or None if the search failed.
        """
        decoder = self._decoder(beams)
        decoder.set_align_text(" ".join(words))
        try:
            _run(decoder, samples)
            decoder.set_alignment()
            _run(decoder, samples)
        except RuntimeError:
            return None
        return [
            (entry.name, entry.start, [(phone.name, phone.start) for phone in entry])
            for entry in decoder.get_alignment() or ()
        ]


def _run(decoder, samples: np.ndarray) -> None:
    decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()


def _alignment(name: str, entries, pairs, seconds: float) -> Alignment:
    phones = [phone for *_, phones in entries for phone in phones]
    units = [
        Segment(start, end, phone if phone in ARPABET else SILENCE)
        for phone, start, end in _intervals(phones, seconds)
    ]
    intervals = _intervals([entry[:2] for entry in entries], seconds)
    spoken = [(start, end) for word, start, end in intervals if not is_filler(word)]
    if len(spoken) != len(pairs):
        raise ValueError(f"{len(pairs)} words in the text, {len(spoken)} were aligned")
    words = [Segment(*times, token) for times, (token, _) in zip(spoken, pairs)]
    return Alignment(
        check_segments(name, name, _join_silences(units)),
        check_segments(name, name, words),
    )


def is_filler(word: str) -> bool:
    """Whether an entry of an alignment is a silence or a noise: <sil>, [NOISE]."""
    return re.fullmatch(r"<.*>|\[.*\]", word) is not None


def frame_start(frame: int) -> float:
    """Start of a frame in the audio (seconds).

    PocketSphinx's frame i covers 410 samples from sample 160 i on. The border between
    two frames is half way between the centres of their windows.
    """
    return (frame * HOP + (WINDOW - HOP) / 2) / SAMPLE_RATE


def _intervals(starts, seconds: float) -> Iterator[tuple[str, float, float]]:
    """(label, first frame) to (label, start, end) that fill the audio."""
    times = [frame_start(frame) for _, frame in starts]
    for (label, _), start, end in zip(starts, [0.0, *times[1:]], [*times[1:], seconds]):
        yield label, start, end


def _join_silences(segments: list[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for segment in segments:
        if joined and joined[-1].label == segment.label == SILENCE:
            segment = Segment(joined.pop().start, segment.end, SILENCE)
        joined.append(segment)
    return joined
