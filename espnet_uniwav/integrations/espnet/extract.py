"""Extraction of features to disk, for trainings that read them from there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.core.features import AbsFeatures, build_features, with_weights
from espnet_uniwav.core.features.stored import FeatureWriter, check_stored
from espnet_uniwav.integrations.espnet.experiment import features_config
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.bounds import check_sizes
from espnet_uniwav.io.config import resolve
from espnet_uniwav.io.folder import CONFIG, find_local
from espnet_uniwav.io.input import error_context
from espnet_uniwav.io.jobs import check_failures, process_all, write_failed
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.io.output import check_output, locked
from espnet_uniwav.io.source import Source
from espnet_uniwav.io.stamps import describe_changed, find_changed, write_stamps


def extract(
    wav_scp: Path,
    output: Path,
    config: Path,
    shard_size: int = 1000,
    num_workers: int = 0,
    device: str = "cpu",
    allow_failed: bool = False,
) -> str:
    """Write features; resumes after the last complete archive.

    Features of recordings that have changed since are extracted again.

    Args:
        wav_scp: Table of names and audio files.
        output: Folder to write.
        config: Training configuration (with frontend_conf), or a checkpoint.
        shard_size: Utterances per archive.
        num_workers: Processes; 0: work in the main process.
        device: Torch device, such as cuda.
        allow_failed: Exit with status 0 if some failed, but not all.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    check_output(output, folder=True)
    files = {u.name: u.path for u in read_data_folder(wav_scp)}
    load = functools.partial(load_features, config, device)
    features, reasons = load(), {}
    prepare = functools.partial(_prepare, load if num_workers else lambda: features)
    output.mkdir(parents=True, exist_ok=True)
    with locked(output):
        stale = find_changed(output, files)
        with FeatureWriter(output, features.spec, shard_size, stale) as writer:
            write_stamps(output, files)
            before = len(writer.done & files.keys())
            todo = {n: path for n, path in files.items() if n not in writer.done}
            for own in process_all(prepare, todo, num_workers, "extract"):
                if own.reason:
                    reasons[own.name] = own.reason
                else:
                    writer.write(own.name, own.value)
        write_failed(output, reasons)
        check_stored(output)
    spec, done = features.spec, len(files) - len(reasons)
    said = (
        f"{output}: {done} of {len(files)} files, {before} of them before"
        f"{describe_changed(writer.stale)}; {spec.name}, {spec.dim} at "
        f"{spec.frame_rate:g} Hz"
    )
    return check_failures(said, output, done, len(reasons), allow_failed)


def load_features(config: Path, device: str) -> AbsFeatures:
    """Build the feature space of a training's or a checkpoint's configuration.

    Raises:
        ValueError: If it describes none.
    """
    checkpoint = find_local(config)
    config = config if checkpoint is None else checkpoint / CONFIG
    content = resolve(config)
    check_sizes(content, str(config))
    with error_context(config):
        if "frontend" in content:
            conf = features_config(content)
        elif "features" in content.get("model", {}):
            conf = with_weights(content["model"]["features"], str(config.parent))
        else:
            raise ValueError("expected a frontend, or the model of a checkpoint")
        return build_features(**conf).to(device)


def _prepare(load: Callable[[], AbsFeatures]) -> Callable[[Source], np.ndarray]:
    """Path -> features (T, F)."""
    features = load()

    def run(path: Source) -> np.ndarray:
        speech = read_speech(path, features.spec.sample_rate)
        return features.extract_one(torch.from_numpy(speech)).numpy()

    return run
