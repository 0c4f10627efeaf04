"""Turn codes into speech."""

from __future__ import annotations

import argparse
import functools
from dataclasses import asdict
from pathlib import Path

from espnet_uniwav.bin.infill import (
    add_sampling_arguments,
    add_vocoder_argument,
    sampling_of,
)
from espnet_uniwav.command import run_command
from espnet_uniwav.flow.sampling import SPEAKING
from espnet_uniwav.kaldi import read_data_folder

DESCRIPTION = """\
CODES is a folder that `uniwav tokenize` wrote; or a wav.scp, whose recordings are
encoded and spoken at once, also without codebooks, as a control. OUT gets NAME.wav,
failed.tsv with what could not be spoken and why, and times.tsv (seconds of computing,
of speech). With a prompt of another speaker the codes are spoken in that voice, as far
as they do not hold one of their own.
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav detokenize",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("codes", type=Path, help="folder of codes, or wav.scp")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="checkpoint that made the codes"
    )
    voice = parser.add_mutually_exclusive_group()
    voice.add_argument("--prompt", type=Path, help="recording of a voice, for all")
    voice.add_argument("--prompts", type=Path, help="table: name, recording of a voice")
    add_sampling_arguments(parser, SPEAKING)
    add_vocoder_argument(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument(
        "--num_workers", type=int, default=0, help="processes (default: none)"
    )
    parser.add_argument("--device", default="cpu", help="torch device")
    return parser


def detokenize(args: argparse.Namespace) -> str:
    """Decode and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    from espnet_uniwav.jobs import do_all, write_outcomes
    from espnet_uniwav.tokenizer.files import read_codes

    if args.codes.is_dir():
        codes = read_codes(args.codes)
    else:
        codes = {u.name: u.path for u in read_data_folder(args.codes)}
    prompts = dict.fromkeys(codes, args.prompt)
    if args.prompts:
        prompts = {u.name: u.path for u in read_data_folder(args.prompts)}
    if missing := sorted(codes.keys() - prompts.keys()):
        raise ValueError(
            f"{args.prompts} lacks {len(missing)} of {len(codes)} names, such as "
            f"{missing[0]}"
        )
    args.output.mkdir(parents=True, exist_ok=True)
    sampling = {**asdict(sampling_of(args)), "seed": args.seed}
    prepare = functools.partial(
        _prepare, args.tokenizer, args.device, args.vocoder, sampling
    )
    items = {
        name: (args.output / f"{name}.wav", own, prompts[name])
        for name, own in codes.items()
    }
    outcomes = do_all(prepare, items, args.num_workers, "detokenize")
    failed = write_outcomes(args.output, outcomes)
    return f"{args.output}: {len(codes) - failed} of {len(codes)} spoken"


def _prepare(folder: Path, device: str, vocoder: Path | None, sampling: dict):
    """(wav to write, codes or recording, prompt) -> seconds of speech."""
    import torch

    from espnet_uniwav.audio import read_speech, write_speech
    from espnet_uniwav.tokenizer.tokenizer import UniWavTokenizer
    from espnet_uniwav.vocoder import use_vocoder

    tokenizer = UniWavTokenizer.from_pretrained(folder).to(device)
    use_vocoder(tokenizer.features, vocoder)
    rate = tokenizer.sample_rate

    def decode(item) -> float:
        path, codes, prompt = item
        if prompt is not None:
            prompt = torch.from_numpy(read_speech(prompt, rate))
        if isinstance(codes, Path):
            recording = torch.from_numpy(read_speech(codes, rate))
            speech = tokenizer.resynthesise(recording, prompt, **sampling)
        else:
            codes = torch.from_numpy(codes).to(device)
            speech = tokenizer.decode(codes[None], prompt=prompt, **sampling)[0]
        write_speech(path, speech.numpy(), rate)
        return len(speech) / rate

    return decode


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), detokenize, cmd)


if __name__ == "__main__":
    main()
