"""Align the utterances of a data folder with their texts."""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path

from espnet_uniwav.alignment.folder import write_folder
from espnet_uniwav.command import run_command
from espnet_uniwav.jobs import FAILED, do_all
from espnet_uniwav.kaldi import read_data_folder, spread

DESCRIPTION = """\
When which word and phone was spoken, for a Kaldi-style data folder (wav.scp, text,
utt2spk). Writes phones.ctm and words.ctm (`utt 1 start duration label`, seconds) and
failed.tsv with the utterances that could not be aligned and why.

methods:
  pocketsphinx  English texts; offline, in processes; phones in ARPAbet
  mfa           TextGrids of the Montreal Forced Aligner, given with --textgrids
  table         alignments made by others, given with --alignments: one line for each
                word and phone, columns utt, tier (words, phones), start, end, label
  ctc           a fine-tuned ESPnet ASR model, given with --model; writes tokens.ctm
                in place of phones.ctm unless the tokens of the model are phones
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav align",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="data folder")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--method", choices=METHODS, default="pocketsphinx")
    parser.add_argument(
        "--nj",
        type=int,
        default=os.cpu_count(),
        help="processes of pocketsphinx (default: %(default)s)",
    )
    parser.add_argument(
        "--num_utterances",
        type=int,
        help="align about this many, a few of each of some speakers (default: all)",
    )
    parser.add_argument("--textgrids", type=Path, help="folder that MFA wrote")
    parser.add_argument("--alignments", type=Path, help="table (.tsv) of alignments")
    parser.add_argument("--model", type=Path, help="model file (.pth) of ESPnet's ASR")
    parser.add_argument(
        "--config", type=Path, help="of the model (default: config.yaml beside it)"
    )
    parser.add_argument("--device", default="cpu", help="torch device of the model")
    return parser


def align(args: argparse.Namespace) -> str:
    """Align, write, and say how it went.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    utterances = spread(read_data_folder(args.data / "wav.scp"), args.num_utterances)
    if not utterances:
        raise ValueError(f"{args.data / 'wav.scp'}: expected utterances, found none")
    if args.nj < 1:
        raise ValueError(f"--nj: expected one or more processes, found {args.nj}")
    unit, make_aligner, num_workers, left_over = METHODS[args.method](args)
    alignments, reasons = {}, {}
    items = {utterance.name: utterance for utterance in utterances}
    for own in do_all(make_aligner, items, num_workers, "align"):
        if own.reason:
            reasons[own.name] = own.reason
        else:
            alignments[own.name] = own.value
    summary = f"{args.out}: {len(alignments)} of {len(utterances)} utterances aligned"
    reasons.update(left_over())
    write_folder(args.out, alignments, reasons, unit)
    if reasons:
        summary += f"; {len(reasons)} lines in {args.out / FAILED} say what was not"
    if not alignments:
        raise ValueError(summary)
    return summary


def use_pocketsphinx(args):
    """See ``PocketSphinxAligner``.

    Returns:
        ``phones`` or ``tokens``; a maker of the aligner; processes, as of ``do_all``;
        a function to call afterwards, which returns what else is to be listed.
    """
    from espnet_uniwav.alignment.pocketsphinx_aligner import PocketSphinxAligner

    _need_package("pocketsphinx")
    _need(args.data / "text")
    return "phones", PocketSphinxAligner, args.nj, dict


def use_mfa(args):
    """See ``MFAAligner``."""
    from espnet_uniwav.alignment.mfa import MFAAligner, TextGrids

    if args.textgrids is None:
        raise ValueError("--method mfa needs --textgrids FOLDER")
    _need_package("praatio")
    aligner = MFAAligner(TextGrids(args.textgrids))
    return "phones", lambda: aligner, 0, aligner.unused


def use_table(args):
    """See ``TableAligner``."""
    from espnet_uniwav.alignment.table import AlignmentTable, TableAligner

    if args.alignments is None:
        raise ValueError("--method table needs --alignments FILE.tsv")
    aligner = TableAligner(AlignmentTable(args.alignments))
    return "phones", lambda: aligner, 0, aligner.unused


def use_ctc(args):
    """See ``CTCAligner``."""
    from espnet_uniwav.alignment.ctc import CTCAligner
    from espnet_uniwav.tasks.ctc_aligner import load_recogniser

    if args.model is None:
        raise ValueError("--method ctc needs --model FILE.pth")
    _need(args.data / "text")
    config = args.config or args.model.with_name("config.yaml")
    aligner = CTCAligner(load_recogniser(config, args.model, args.device))
    return aligner.unit, lambda: aligner, 0, dict


METHODS = {
    "pocketsphinx": use_pocketsphinx,
    "mfa": use_mfa,
    "table": use_table,
    "ctc": use_ctc,
}


def _need(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; alignment needs the texts")


def _need_package(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"this method needs the package {name}: pip install {name}")


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), align, cmd)


if __name__ == "__main__":
    main()
