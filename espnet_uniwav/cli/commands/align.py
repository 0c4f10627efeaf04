"""Align the utterances of a data folder with their texts.

Reads a Kaldi-style data folder (wav.scp, segments, text, utt2spk). Writes start and
duration of phones and words (phones.ctm and words.ctm, `utt 1 start duration label`,
seconds), and failed.tsv: utterances that could not be aligned, with the reason (exit
status 1).

methods:
  pocketsphinx  English texts; offline, in processes; phones in ARPAbet
  mfa           TextGrids of the Montreal Forced Aligner, given with --textgrids
  table         existing alignments, given with --alignments: one line per word and
                phone, columns utt, tier (words, phones), start, end, label
  ctc           a fine-tuned ESPnet ASR model, given with --model; writes tokens.ctm
                instead of phones.ctm unless the tokens of the model are phones

examples:
  uniwav align data/train alignment/train
  uniwav align data/train alignment/train --method ctc --model EXP/valid.cer_ctc.ave.pth
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import (
    add_allow_failed,
    add_device,
    add_model,
    add_num_utterances,
    add_workers,
)

WORK = "espnet_uniwav.lab.align.forced_alignment:align"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("align", __doc__)
    parser.add_argument("data", type=Path, help="data folder")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--method",
        choices=["pocketsphinx", "mfa", "table", "ctc"],
        default="pocketsphinx",
        help="see above",
    )
    parser.add_argument("--textgrids", type=Path, help="output folder of MFA")
    parser.add_argument("--alignments", type=Path, help="table (.tsv) of alignments")
    add_model(parser, required=False)
    add_num_utterances(parser)
    add_workers(parser, "--nj", default=None)
    add_allow_failed(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
