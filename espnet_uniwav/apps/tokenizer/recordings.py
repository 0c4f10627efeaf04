"""Encode data folders to codes and decode them, file by file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from espnet_uniwav.apps.tokenizer.files import (
    CodeWriter,
    count_stored,
    read_codes,
    read_speakers,
)
from espnet_uniwav.apps.tokenizer.fit import describe_usage
from espnet_uniwav.apps.tokenizer.tokenizer import PACKAGED, UniWavTokenizer
from espnet_uniwav.apps.vocoder import use_vocoder
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.io.audio import read_speech, seconds_of, write_speech
from espnet_uniwav.io.bounds import check_number
from espnet_uniwav.io.jobs import Outcome, check_failures, process_all, write_outcomes
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.io.output import check_output, file_of, locked
from espnet_uniwav.io.source import Source, as_source
from espnet_uniwav.io.stamps import describe_changed, find_changed, write_stamps

MAX_SECONDS = 120.0


def tokenize(
    wav_scp: str | Path,
    output: str | Path,
    tokenizer: str | Path = PACKAGED,
    num_codebooks: int | None = None,
    format: Literal["text", "npz"] = "text",
    num_workers: int = 0,
    device: str = "cpu",
    allow_failed: bool = False,
) -> str:
    """Encode recordings to codes; resumes an interrupted run.

    Recordings that have changed since are encoded again.

    Args:
        wav_scp: Table of names and audio files.
        output: Folder to write: codes, failed.tsv, times.tsv.
        tokenizer: Checkpoint of a tokenizer, or a name.
        num_codebooks: The first codebooks alone, at a lower bit rate; of learned codes
            only; None: all.
        format: Format of the codes.
        num_workers: Processes; 0: work in the main process.
        device: Torch device, such as cuda.
        allow_failed: Exit with status 0 if some failed, but not all.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    output = Path(output)
    check_output(output, folder=True)
    files = {u.name: u.path for u in read_data_folder(wav_scp)}
    for name in files:
        file_of(output, name, ".npz")
    load = functools.partial(_load, tokenizer, device, num_codebooks)
    loaded = load()
    _require_codebooks(loaded, tokenizer)
    prepare = functools.partial(_encoder, load if num_workers else lambda: loaded)
    output.mkdir(parents=True, exist_ok=True)
    form = loaded.num_codebooks, format, loaded.origin(), loaded.speaker_code_length
    with (
        locked(output),
        CodeWriter(output, *form, find_changed(output, files)) as writer,
    ):
        write_stamps(output, files)
        todo = {name: path for name, path in files.items() if name not in writer.done}
        outcomes = process_all(prepare, todo, num_workers, "tokenize")
        written = _write(writer, outcomes, loaded.frame_rate)
        failed = write_outcomes(output, written)
    done = len(files) - failed
    said = (
        f"{output}: {done} of {len(files)} files encoded, {len(files) - len(todo)} of "
        f"them before{describe_changed(writer.stale)}; {_describe(loaded, output)}"
    )
    return check_failures(said, output, done, failed, allow_failed)


def detokenize(
    codes: str | Path,
    output: str | Path,
    tokenizer: str | Path = PACKAGED,
    prompt: str | Path | None = None,
    prompts: str | Path | None = None,
    seed: int = 0,
    vocoder: str | Path | None = None,
    num_workers: int = 0,
    device: str = "cpu",
    allow_failed: bool = False,
    **sampling,
) -> str:
    """Decode codes to speech.

    Args:
        codes: Folder of codes, spoken by the speaker codes beside them unless a
            prompt is given; or a wav.scp, whose recordings are encoded and decoded in
            one pass.
        output: Folder to write: NAME.wav, failed.tsv, times.tsv.
        tokenizer: Checkpoint of a tokenizer, or a name.
        prompt: Recording of the target voice, whose speaker agreed to this use.
        prompts: Table of names and such recordings.
        seed: Seed of all random draws.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        num_workers: Processes; 0: work in the main process.
        device: Torch device, such as cuda.
        allow_failed: Exit with status 0 if some failed, but not all.
        **sampling: Settings of the solver; by default ``SPEAKING``.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    output = Path(output)
    check_output(output, folder=True)
    found = _sources(Path(codes), prompt, prompts)
    replace(SPEAKING, **sampling)  # checks the settings before any work
    check_number("seed", seed)
    prepare = functools.partial(
        _decoder, tokenizer, device, vocoder, {**sampling, "seed": seed}
    )
    items = {name: (file_of(output, name, ".wav"), *own) for name, own in found.items()}
    output.mkdir(parents=True, exist_ok=True)
    with locked(output):
        outcomes = process_all(prepare, items, num_workers, "detokenize")
        failed = write_outcomes(output, outcomes)
    done = len(found) - failed
    said = f"{output}: {done} of {len(found)} spoken"
    return check_failures(said, output, done, failed, allow_failed)


def _describe(tokenizer: UniWavTokenizer, folder: Path) -> str:
    """The tokenizer, and how its codes are used in a folder."""
    sizes = tokenizer.num_codebooks, tokenizer.codebook_size
    counts = torch.from_numpy(count_stored(folder, *sizes))
    said = tokenizer.extra_repr()
    return f"{said}; {describe_usage(counts)}" if counts.any() else said


def _sources(
    codes: Path, prompt: str | Path | None, prompts: str | Path | None
) -> dict[str, tuple]:
    """Name -> (codes, speaker code) or recording, and prompt; see ``detokenize``."""
    if codes.is_dir():
        found, speakers = read_codes(codes), read_speakers(codes)
        found = {name: (own, speakers.get(name)) for name, own in found.items()}
    else:
        found = {u.name: u.path for u in read_data_folder(codes)}
    recordings = dict.fromkeys(found, prompt and as_source(prompt))
    if prompts:
        recordings = {u.name: u.path for u in read_data_folder(prompts)}
    if missing := sorted(found.keys() - recordings.keys()):
        raise ValueError(
            f"{prompts} lacks {len(missing)} of {len(found)} names, such as "
            f"{missing[0]}"
        )
    return {name: (own, recordings[name]) for name, own in found.items()}


def _require_codebooks(loaded: UniWavTokenizer, tokenizer: str | Path) -> None:
    if not loaded.num_codebooks:
        raise ValueError(
            f"{tokenizer}: expected a tokenizer with codebooks, found none: decode its "
            "z with `uniwav detokenize WAV_SCP OUT`"
        )


def _load(
    folder: str | Path, device: str, num_codebooks: int | None = None
) -> UniWavTokenizer:
    tokenizer = UniWavTokenizer.from_pretrained(folder).to(device)
    return tokenizer.limit_codebooks(num_codebooks)


def _encoder(
    load: Callable[[], UniWavTokenizer],
) -> Callable[[Source], tuple[np.ndarray, np.ndarray]]:
    """Path -> codes (K, T) and speaker code."""
    tokenizer = load()

    def encode(path: Source) -> tuple[np.ndarray, np.ndarray]:
        if (seconds := seconds_of(path)) > MAX_SECONDS:
            raise ValueError(
                f"{path}: lasts {seconds:.0f} s, expected at most {MAX_SECONDS:.0f}: "
                "cut it into utterances"
            )
        speech = torch.from_numpy(read_speech(path, tokenizer.sample_rate))
        codes, speaker = tokenizer.encode_one(speech)
        return codes.cpu().numpy(), speaker.cpu().numpy()

    return encode


def _write(
    writer: CodeWriter, outcomes: Iterable[Outcome], frame_rate: float
) -> Iterator[Outcome]:
    """Write codes; yield the outcomes, with seconds of speech instead of codes."""
    for own in outcomes:
        if not own.reason:
            codes, speaker = own.value
            writer.write(own.name, codes, speaker)
            own = replace(own, value=codes.shape[1] / frame_rate)
        yield own


def _decoder(
    folder: str | Path, device: str, vocoder: str | Path | None, settings: dict
) -> Callable[[tuple], float]:
    """(file to write, codes and speaker code or recording, prompt) -> seconds."""
    tokenizer = _load(folder, device)
    use_vocoder(tokenizer.features, vocoder)
    rate = tokenizer.sample_rate

    def decode(item: tuple) -> float:
        path, source, prompt = item
        if prompt is not None:
            prompt = torch.from_numpy(read_speech(prompt, rate))
        if not isinstance(source, tuple):
            recording = torch.from_numpy(read_speech(source, rate))
            speech = tokenizer.resynthesise(recording, prompt, **settings)
        else:
            codes, speaker = source
            if prompt is not None:
                speaker = None
            speech = tokenizer.decode(
                codes, prompt=prompt, speaker_codes=speaker, **settings
            )[0]
        write_speech(path, speech.numpy(), rate)
        return len(speech) / rate

    return decode
