"""Editing of words in a recording: a stretch is regenerated, the rest is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment
from espnet_uniwav.apps.phones.durations import token_durations
from espnet_uniwav.apps.phones.lexicon import tokenize
from espnet_uniwav.apps.phones.lexicon_file import read_lexicon
from espnet_uniwav.apps.phones.markup import as_written
from espnet_uniwav.apps.phones.word_ends import mark_word_ends
from espnet_uniwav.apps.text.normalizer import normalize
from espnet_uniwav.apps.tts.context import Context
from espnet_uniwav.apps.tts.synthesizer import SpeakingOptions, Synthesizer
from espnet_uniwav.apps.vocoder.splicing import FADE_SECONDS, splice, vocode_gaps
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.io.audio import check_speech_output, read_speech, write_speech
from espnet_uniwav.io.kaldi import Utterance
from espnet_uniwav.io.source import Source, as_source


def edit(
    input: str | Path,
    output: str | Path,
    model: str | Path,
    text: str,
    replace: str,
    by: str,
    speed: float = 1.0,
    seed: int = 0,
    config: str | Path | None = None,
    vocoder: str | Path | None = None,
    device: str = "cpu",
    lexicon: str | Path | None = None,
    **sampling,
) -> str:
    """Replace words in an English recording; needs the package pocketsphinx.

    Args:
        input: Any file that libsndfile reads.
        output: File to write: .wav, .flac, .ogg, .opus or .mp3.
        model: Folder of ``uniwav export``, a name, or model file (.pth) of ESPnet.
        text: Transcript of the recording.
        replace: Words to replace; they must occur once.
        by: New words.
        speed: Divides predicted durations.
        seed: Seed of all random draws.
        config: Of a .pth file; None: config.yaml beside it.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        device: Torch device, such as cuda.
        lexicon: Pronunciations before the built-in ones: lines ``word PH PH ...``.
        **sampling: Settings of the solver; by default those of the model, else
            ``SPEAKING``.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    # Wrong settings fail before anything is aligned or loaded.
    SpeakingOptions(SPEAKING.but(**sampling), seed, speed)
    input = as_source(input)
    check_speech_output(output)
    words = read_lexicon(lexicon) if lexicon else {}
    phones, stretch = align_words(input, text, replace, words)
    synthesizer = Synthesizer.from_pretrained(model, config, device, vocoder, words)
    options = SpeakingOptions(synthesizer.sampling.but(**sampling), seed, speed)
    rate = synthesizer.sample_rate
    speech = read_speech(input, rate)
    edited = replace_stretch(synthesizer, speech, phones, stretch, by, options)
    write_speech(output, edited, rate)
    return f"{output}: {stretch[0]:.2f} to {stretch[1]:.2f} s regenerated"


def align_words(
    input: str | Source,
    text: str,
    phrase: str,
    lexicon: Mapping[str, Sequence[str]] = {},
) -> tuple[list[Segment], tuple[float, float]]:
    """Align an English recording and find a phrase in it; needs pocketsphinx.

    Args:
        input: Any file that libsndfile reads.
        text: What is said in the recording.
        phrase: Words of it, said exactly once.
        lexicon: Word -> phones, of words that the aligner does not know.

    Returns:
        The phones of the recording; start and end of the phrase (seconds).

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    from espnet_uniwav.apps.phones.pocketsphinx_aligner import PocketSphinxAligner

    try:
        read = normalize(text, lexicon)
        recording = Utterance("recording", as_source(input), text=read)
        alignment = PocketSphinxAligner(lexicon=lexicon)(recording)
        phones = mark_word_ends(alignment.units, alignment.words)
        return phones, find_words(alignment.words, normalize(phrase, lexicon))
    except ValueError as error:
        raise ValueError(f"{input}: {error}") from error


def find_words(words: Sequence[Segment], phrase: str) -> tuple[float, float]:
    """Find the time of a phrase, whatever marks touch its words.

    Args:
        words: Of the recording, sorted by time.
        phrase: One word or several that follow each other.

    Returns:
        Start and end in seconds.

    Raises:
        ValueError: If it is not said, or more than once.
    """
    wanted = _bare_words(phrase)
    said = [" ".join(_bare_words(word.label)) for word in words]
    count = len(wanted)
    places = [i for i in range(len(said)) if said[i : i + count] == wanted]
    if not wanted or len(places) != 1:
        raise ValueError(
            f"expected {phrase!r} once among the words {' '.join(said)!r}, found it "
            f"{len(places) if wanted else 0} times"
        )
    return words[places[0]].start, words[places[0] + count - 1].end


def _bare_words(text: str) -> list[str]:
    """Words as the dictionary has them, without the quotes of a whole word."""
    return [word.strip("'") for _, word in tokenize(as_written(text))]


def replace_stretch(
    synthesizer: Synthesizer,
    speech: np.ndarray,
    phones: Sequence[Segment],
    stretch: tuple[float, float],
    text: str,
    options: SpeakingOptions = SpeakingOptions(),
) -> np.ndarray:
    """Regenerate a stretch of a recording with another text.

    Args:
        synthesizer: The voice is that of the recording.
        speech: (S,) samples.
        phones: Aligned tokens of the recording, from 0 to its end.
        stretch: Start and end in seconds, at borders of phones.
        text: What is said instead.
        options: How.

    Phones that fit the recording badly are reported.

    Returns:
        Samples; those of ``speech`` outside the stretch, bit for bit but for a fade of
        15 ms on either side.

    Raises:
        ValueError: If the stretch is not inside the recording or no phone is in it.
    """
    spec = synthesizer.features.spec
    x = synthesizer.features.extract_one(torch.as_tensor(speech))
    names, durations = token_durations(phones, len(x), spec.frame_rate)
    inside = [
        i for i, p in enumerate(phones) if stretch[0] <= p.start and p.end <= stretch[1]
    ]
    if not inside:
        raise ValueError(f"no aligned phone is between {stretch[0]} and {stretch[1]} s")
    whole = _context(synthesizer, x, names, durations)
    synthesizer.align(whole, "the recording does not seem to say its transcript")
    first, last = inside[0], inside[-1] + 1
    start, end = sum(durations[:first]), sum(durations[:last])
    before = _context(synthesizer, x[:start], names[:first], durations[:first])
    after = _context(synthesizer, x[end:], names[last:], durations[last:])
    new = [name for name in synthesizer.text_tokens(text) if name != SILENCE]
    spoken = synthesizer.speak(new, before, options, after=after).x.cpu()
    return _splice(synthesizer, speech, x, (start, end), spoken)


def _context(synthesizer: Synthesizer, x: Tensor, names, durations) -> Context:
    counts = torch.tensor(durations, dtype=torch.long, device=synthesizer.device)
    return Context(x.to(synthesizer.device), synthesizer.tokens(names), counts)


def _splice(
    synthesizer: Synthesizer, speech, x: Tensor, stretch, spoken: Tensor
) -> np.ndarray:
    """Splice the generated frames between the kept samples."""
    spec, (start, end) = synthesizer.features.spec, stretch
    frames = torch.cat((x[:start], spoken, x[end:]))
    mask = torch.zeros(len(frames), dtype=torch.bool)
    mask[start : start + len(spoken)] = True
    first, last = start * spec.hop_length, min(end * spec.hop_length, len(speech))
    gap = torch.zeros(len(spoken) * spec.hop_length)
    speech = torch.as_tensor(speech)
    kept = torch.cat((speech[:first], gap, speech[last:]))
    generated = vocode_gaps(synthesizer.features, frames, mask, len(kept))
    fade = round(FADE_SECONDS * spec.sample_rate)
    return splice(kept, generated, [(first, first + len(gap))], fade).numpy()
