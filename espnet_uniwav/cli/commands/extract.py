"""Extract features of recordings to disk, once for many trainings.

Writes to OUT: Kaldi archives (feats.scp, feats_shape), the spec of the features
(spec.yaml), a checksum of every archive (checksums, for `sha256sum -c checksums`) and
failed.tsv. If run again, it resumes after the last complete archive, and extracts again
what has changed (recordings.tsv). Exit status 1: a file failed. To train:

  frontend_conf: {extracted: OUT, ...}
  --train_data_path_and_name_and_type OUT/feats.scp,speech,kaldi_ark
  --train_shape_file OUT/feats_shape          # batch_bins counts frames times width

examples:
  uniwav extract data/train/wav.scp OUT --config conf/train_base.yaml --num_workers 8
"""

from __future__ import annotations

import argparse
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.cli.options import add_allow_failed, add_device, add_workers
from espnet_uniwav.io.units import count

WORK = "espnet_uniwav.integrations.espnet.extract:extract"


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("extract", __doc__)
    parser.add_argument("wav_scp", type=Path, help="table of names and audio files")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="training configuration (with frontend_conf), or a checkpoint",
    )
    parser.add_argument(
        "--shard_size", type=count, default=1000, help="utterances per archive"
    )
    add_workers(parser)
    add_allow_failed(parser)
    add_device(parser)
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
