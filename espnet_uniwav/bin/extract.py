"""Write the features of recordings to disk, once for many trainings."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from espnet_uniwav.command import run_command
from espnet_uniwav.kaldi import read_data_folder

DESCRIPTION = """\
OUT gets Kaldi archives (feats.scp, feats_shape), the spec of the features (spec.yaml),
a checksum of every archive (checksums; `sha256sum -c checksums` compares them too), and
failed.tsv. Given again, the command goes on behind the last whole archive. To train:

  frontend_conf: {extracted: OUT, ...}
  --train_data_path_and_name_and_type OUT/feats.scp,speech,kaldi_ark
  --train_shape_file OUT/feats_shape          # batch_bins counts frames times width
"""


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="uniwav extract",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("wav_scp", type=Path, help="table of names and audio files")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="of the training (its frontend_conf), or a checkpoint",
    )
    parser.add_argument("--shard_size", type=int, default=1000, help="of an archive")
    parser.add_argument("--num_workers", type=int, default=0, help="processes")
    parser.add_argument("--device", default="cpu", help="torch device")
    return parser


def extract(args: argparse.Namespace) -> str:
    """Extract and write as the arguments say.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    from espnet_uniwav.features.stored import FeatureWriter, check_stored
    from espnet_uniwav.jobs import do_all, write_failed

    files = {u.name: u.path for u in read_data_folder(args.wav_scp)}
    load = functools.partial(load_features, args.config, args.device)
    features, reasons = load(), {}
    prepare = functools.partial(
        _prepare, load if args.num_workers else lambda: features
    )
    with FeatureWriter(args.output, features.spec, args.shard_size) as writer:
        before = len(writer.done)
        todo = {name: path for name, path in files.items() if name not in writer.done}
        for own in do_all(prepare, todo, args.num_workers, "extract"):
            if own.reason:
                reasons[own.name] = own.reason
            else:
                writer.write(own.name, own.value)
    write_failed(args.output, reasons)
    check_stored(args.output)
    spec = features.spec
    return (
        f"{args.output}: {len(files) - len(reasons)} of {len(files)} files, {before} "
        f"of them before; {spec.name}, {spec.dim} at {spec.frame_rate:g} Hz"
    )


def load_features(config: Path, device: str):
    """The feature space of a training's or a checkpoint's configuration.

    Raises:
        ValueError: If it describes none.
    """
    from espnet_uniwav.features import build_features, with_weights
    from espnet_uniwav.storage import CONFIG, find_local
    from espnet_uniwav.tasks.config import resolve
    from espnet_uniwav.tasks.experiment import features_config

    checkpoint = find_local(config)
    config = config if checkpoint is None else checkpoint / CONFIG
    content = resolve(config)
    if "frontend" in content:
        conf = features_config(content)
    elif "features" in content.get("model", {}):
        conf = with_weights(content["model"]["features"], str(config.parent))
    else:
        raise ValueError(f"{config}: expected a frontend, or the model of a checkpoint")
    return build_features(**conf).to(device)


def _prepare(load):
    """Path -> features (T, F)."""
    import torch

    from espnet_uniwav.audio import read_speech

    features = load()

    def run(path: Path):
        speech = read_speech(path, features.spec.sample_rate)
        return features.extract_one(torch.from_numpy(speech)).numpy()

    return run


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), extract, cmd)


if __name__ == "__main__":
    main()
