"""Encode data folders to codes and decode them, file by file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.apps.tokenizer.files import CodeWriter, read_codes, read_voices
from espnet_uniwav.apps.tokenizer.fit import describe_usage
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
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
    tokenizer: str | Path,
    num_codebooks: int | None = None,
    format: str = "text",
    num_workers: int = 0,
    device: str = "cpu",
    allow_failed: bool = False,
) -> str:
    """Encode recordings to codes; resumes an interrupted run.

    Recordings that have changed since are encoded again.

    Args:
        wav_scp: Table of names and audio files.
        output: Folder to write: codes (see ``CodeWriter``), failed.tsv, times.tsv.
        tokenizer: Checkpoint of a tokenizer.
        num_codebooks: Learned codes alone: the first of them, at a lower bit rate;
            None: all.
        format: ``text`` or ``npz``.
        num_workers: Processes, as of ``process_all``.
        device: Torch device.
        allow_failed: Some recordings may fail, see ``check_failures``.

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
    prepare = functools.partial(_encoder, load if num_workers else lambda: loaded)
    output.mkdir(parents=True, exist_ok=True)
    form = loaded.num_codebooks, format, loaded.origin(), loaded.voice_digits
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
    tokenizer: str | Path,
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
        codes: Folder of codes, spoken in the voices that stand beside them unless a
            prompt is given; or a wav.scp, whose recordings are encoded and decoded in
            one pass.
        output: Folder to write: NAME.wav, failed.tsv, times.tsv.
        tokenizer: Checkpoint that made the codes.
        prompt: Recording of the target voice, for all utterances.
        prompts: Table of such recordings by name, instead of ``prompt``.
        seed: Seed of the noise.
        vocoder: See ``use_vocoder``.
        num_workers: Processes, as of ``process_all``.
        device: Torch device.
        allow_failed: Some utterances may fail, see ``check_failures``.
        **sampling: Settings of ``Sampling``; by default those of ``SPEAKING``.

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
    said, codes = tokenizer.extra_repr(), list(read_codes(folder).values())
    if not codes:
        return said
    codes = torch.from_numpy(np.concatenate(codes, axis=1))
    return f"{said}; {describe_usage(codes, tokenizer.codebook_size)}"


def _sources(
    codes: Path, prompt: str | Path | None, prompts: str | Path | None
) -> dict[str, tuple]:
    """Name -> (codes, voice) or recording, and prompt; see ``detokenize``."""
    if codes.is_dir():
        found, voices = read_codes(codes), read_voices(codes)
        found = {name: (own, voices.get(name)) for name, own in found.items()}
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


def _load(
    folder: str | Path, device: str, num_codebooks: int | None = None
) -> UniWavTokenizer:
    return UniWavTokenizer.from_pretrained(folder).to(device).use(num_codebooks)


def _encoder(
    load: Callable[[], UniWavTokenizer],
) -> Callable[[Source], tuple[np.ndarray, np.ndarray]]:
    """Path -> codes (K, T) and voice (voice_digits,)."""
    tokenizer = load()

    def encode(path: Source) -> tuple[np.ndarray, np.ndarray]:
        if (seconds := seconds_of(path)) > MAX_SECONDS:
            raise ValueError(
                f"{path}: lasts {seconds:.0f} s, expected at most {MAX_SECONDS:.0f}: "
                "cut it into utterances"
            )
        speech = torch.from_numpy(read_speech(path, tokenizer.sample_rate))
        codes, voice = tokenizer.encode_one(speech)
        return codes.cpu().numpy(), voice.cpu().numpy()

    return encode


def _write(
    writer: CodeWriter, outcomes: Iterable[Outcome], frame_rate: float
) -> Iterator[Outcome]:
    """Write codes; yield the outcomes, with seconds of speech instead of codes."""
    for own in outcomes:
        if not own.reason:
            codes, voice = own.value
            writer.write(own.name, codes, voice)
            own = replace(own, value=codes.shape[1] / frame_rate)
        yield own


def _decoder(
    folder: str | Path, device: str, vocoder: str | Path | None, settings: dict
) -> Callable[[tuple], float]:
    """(file to write, (codes, voice) or recording, prompt) -> seconds of speech."""
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
            codes, voice = source
            voices = None
            if prompt is None and voice is not None:
                voices = torch.from_numpy(voice)[None]
            codes = torch.from_numpy(codes)[None].to(device)
            speech = tokenizer.decode(codes, prompt=prompt, voices=voices, **settings)[
                0
            ]
        write_speech(path, speech.numpy(), rate)
        return len(speech) / rate

    return decode
