"""Turn recordings into codes."""

from __future__ import annotations

import argparse
import functools
from dataclasses import replace
from pathlib import Path

from espnet_uniwav.command import run_command
from espnet_uniwav.kaldi import read_data_folder

DESCRIPTION = """\
OUT gets codes_1 to codes_K, one line per utterance (name, then the code of every
frame), as ESPnet's recipes for discrete tokens read them, or NAME.npz with `codes`
(K, T); failed.tsv, which lists every file that was left out and why; and times.tsv
(seconds of computing, of speech). Given again, the command goes on where it was
interrupted.
"""
MAX_SECONDS = 120.0


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav tokenize",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("wav_scp", type=Path, help="table of names and audio files")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="checkpoint of a tokenizer"
    )
    parser.add_argument("--format", choices=["text", "npz"], default="text")
    parser.add_argument(
        "--num_workers", type=int, default=0, help="processes (default: none)"
    )
    parser.add_argument("--device", default="cpu", help="torch device")
    return parser


def tokenize(args: argparse.Namespace) -> str:
    """Encode and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    import numpy as np
    import torch

    from espnet_uniwav.jobs import do_all, write_outcomes
    from espnet_uniwav.tokenizer.files import CodeWriter, read_codes
    from espnet_uniwav.tokenizer.fit import describe_usage

    files = {u.name: u.path for u in read_data_folder(args.wav_scp)}
    load = functools.partial(load_tokenizer, args.tokenizer, args.device)
    tokenizer = load()
    prepare = functools.partial(
        _prepare, load if args.num_workers else lambda: tokenizer
    )
    with CodeWriter(args.output, tokenizer.num_codebooks, args.format) as writer:
        todo = {name: path for name, path in files.items() if name not in writer.done}
        outcomes = do_all(prepare, todo, args.num_workers, "tokenize")
        written = _write(writer, outcomes, tokenizer.frame_rate)
        failed = write_outcomes(args.output, written)
    said = [
        f"{args.output}: {len(files) - failed} of {len(files)} files encoded, "
        f"{len(files) - len(todo)} of them before",
        tokenizer.extra_repr(),
    ]
    if codes := list(read_codes(args.output).values()):
        codes = torch.from_numpy(np.concatenate(codes, axis=1))
        said.append(describe_usage(codes, tokenizer.codebook_size))
    return "; ".join(said)


def _write(writer, outcomes, frame_rate: float):
    """Write codes; yields the outcomes with the seconds of speech instead."""
    for own in outcomes:
        if not own.reason:
            writer.write(own.name, own.value)
            own = replace(own, value=own.value.shape[1] / frame_rate)
        yield own


def load_tokenizer(folder: Path, device: str):
    """The tokenizer of a checkpoint."""
    from espnet_uniwav.tokenizer.tokenizer import UniWavTokenizer

    return UniWavTokenizer.from_pretrained(folder).to(device)


def _prepare(load):
    """Path -> codes (K, T)."""
    import torch

    from espnet_uniwav.audio import read_speech, seconds_of

    tokenizer = load()

    def encode(path: Path):
        if (seconds := seconds_of(path)) > MAX_SECONDS:
            raise ValueError(
                f"{path}: lasts {seconds:.0f} s, expected at most {MAX_SECONDS:.0f}: "
                "cut it into utterances"
            )
        speech = torch.from_numpy(read_speech(path, tokenizer.sample_rate))
        return tokenizer.encode(speech[None])[0].cpu().numpy()

    return encode


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), tokenize, cmd)


if __name__ == "__main__":
    main()
