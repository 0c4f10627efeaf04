"""Options that several commands have, under one name and with one meaning.

What is here imports nothing heavy, so that ``uniwav NAME --help`` is immediate.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

# Names of packaged models.
PRETRAINED, VOICE, TOKENIZER = "small", "voices", "tokens"
# Extensions of ``espnet_uniwav.io.audio``, which imports soundfile; a test compares.
SPEECH = ".wav, .flac, .ogg, .opus or .mp3"
# Defaults of ``core.flow.sampling``, which imports torch; a test compares.
FILLING = {
    "num_steps": 16,
    "method": "midpoint",
    "guidance_scale": 0.0,
    "temperature": 1.0,
}
SPEAKING = {
    "num_steps": 8,
    "method": "euler",
    "guidance_scale": 0.7,
    "temperature": 0.4,
}


def _default(name: str | None) -> str:
    return f" (default: {name})" if name else ""


def add_checkpoint(
    parser: argparse.ArgumentParser, required: bool = True, default: str | None = None
) -> None:
    """``--checkpoint``, see ``load_checkpoint``."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=required and default is None,
        default=default,
        help="folder of `uniwav export`, or a name: `uniwav models`"
        + _default(default),
    )


def add_model(
    parser: argparse.ArgumentParser, required: bool = True, default: str | None = None
) -> None:
    """``--model`` and its ``--config``: a fine-tuned model."""
    parser.add_argument(
        "--model",
        type=Path,
        required=required and default is None,
        default=default,
        help="folder of `uniwav export`, a name, or model file (.pth) of ESPnet"
        + _default(default),
    )
    parser.add_argument(
        "--config", type=Path, help="of a .pth file (default: config.yaml beside it)"
    )


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """``--tokenizer``, see ``UniWavTokenizer.from_pretrained``."""
    parser.add_argument(
        "--tokenizer",
        type=Path,
        default=TOKENIZER,
        help="checkpoint of a tokenizer, or a name: `uniwav models`"
        + _default(TOKENIZER),
    )


def add_sampling(
    parser: argparse.ArgumentParser,
    defaults: Mapping[str, object] = FILLING,
    of_model: bool = False,
) -> None:
    """Options of ``Sampling``, under the same names.

    Args:
        parser: Parser to extend.
        defaults: ``FILLING`` for gaps, or ``SPEAKING`` for a text or codes.
        of_model: The configuration of the model comes before these defaults.
    """
    helps = {
        "num_steps": "steps of the solver",
        "method": "the solver",
        "guidance_scale": "a in (1 + a) v(condition) - a v(empty)",
        "temperature": "scales the initial noise",
    }
    for name, said in helps.items():
        choices = ["euler", "midpoint", "heun"] if name == "method" else None
        default = defaults[name]
        if of_model:
            said += f" (default: that of the model, else {default})"
        parser.add_argument(
            f"--{name}",
            type=type(default),
            default=None if of_model else default,
            choices=choices,
            help=said,
        )


def add_prompt(parser: argparse.ArgumentParser) -> None:
    """``--prompt``, also in a group of a parser."""
    parser.add_argument(
        "--prompt",
        type=Path,
        help="recording of the target voice, whose speaker agreed to this use",
    )


def add_speed(parser: argparse.ArgumentParser) -> None:
    """``--speed``."""
    parser.add_argument(
        "--speed", type=float, default=1.0, help="divides predicted durations"
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """``--seed``."""
    parser.add_argument("--seed", type=int, default=0, help="seed of all random draws")


def add_vocoder(parser: argparse.ArgumentParser) -> None:
    """``--vocoder``, see ``use_vocoder``."""
    parser.add_argument(
        "--vocoder",
        type=Path,
        metavar="NAME",
        help="checkpoint of a vocoder; `none`: Griffin-Lim (default: that of the "
        "model, else the packaged one)",
    )


def add_num_utterances(
    parser: argparse.ArgumentParser, default: int | None = None
) -> None:
    """``--num_utterances``."""
    parser.add_argument(
        "--num_utterances",
        type=int,
        default=default,
        help=f"number of utterances, evenly spread (default: {default or 'all'})",
    )


def add_workers(
    parser: argparse.ArgumentParser, *old_names: str, default: int | None = 0
) -> None:
    """``--num_workers``, see ``process_all``; its ``old_names`` still work."""
    per_core = " (default: one per core)" if default is None else ""
    parser.add_argument(
        "--num_workers",
        *old_names,
        type=int,
        default=default,
        help=f"processes; 0: work in the main process{per_core}",
    )


def add_allow_failed(parser: argparse.ArgumentParser) -> None:
    """``--allow_failed``, see ``check_failures``."""
    parser.add_argument(
        "--allow_failed",
        action="store_true",
        help="exit with status 0 if some failed, but not all",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda")
