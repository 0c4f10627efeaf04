"""Compatibility of S3PRL 0.4.18 with newer libraries; supplies only what is missing.

- torchaudio >= 2.9 has no ``set_audio_backend``, ``info`` and ``sox_effects``, so that
  ``import s3prl.hub`` fails (s3prl#575), and its ``load`` needs TorchCodec.
- torchaudio < 2.9 has ``sox_effects``, but they fail where libsox is not installed.
- torch >= 2.6 does not unpickle the arguments in S3PRL's own checkpoints, so that
  ``run_downstream -m evaluate -e EXPERIMENT`` and ``-a`` fail.
- pandas >= 2 has no ``Series.iteritems``, which ``s3prl.main`` calls.
- huggingface_hub >= 1 has no ``HfFolder`` and ``Repository``, which the runner of
  ``run_downstream`` imports, though it uses them for ``--push_to_hf_hub`` alone.

``plugin.py`` calls ``patch_s3prl`` before ``s3prl`` runs and ``patch_pandas`` before
the one module that needs it. Not covered: ``torchaudio.save``, ``load_wav``, streams,
and the SoX effects that ``sox_effects.py`` does not name. Files are read by soundfile
where torchaudio cannot: wav, flac, ogg, mp3; no video containers.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import warnings
from typing import NamedTuple

import torch
import torchaudio
from torch import Tensor


class AudioMetaData(NamedTuple):
    """What ``torchaudio.info`` returned; the encoding as soundfile calls it."""

    sample_rate: int
    num_frames: int
    num_channels: int
    bits_per_sample: int
    encoding: str


def patch_torch() -> list[str]:
    """Supply what torch and torchaudio lack, and log it.

    Returns:
        Names of what was supplied; empty if nothing is missing.
    """
    supplied = []
    if not hasattr(torchaudio, "set_audio_backend"):
        torchaudio.set_audio_backend = set_audio_backend
        supplied.append("torchaudio.set_audio_backend")
        if not _can_import("torchcodec.decoders"):
            torchaudio.load = load
            supplied.append("torchaudio.load")
    if not hasattr(torchaudio, "info"):
        torchaudio.info = info
        supplied.append("torchaudio.info")
    if not _has_sox_effects():
        _supply_sox_effects()
        supplied.append("torchaudio.sox_effects")
    if argparse.Namespace not in torch.serialization.get_safe_globals():
        torch.serialization.add_safe_globals([argparse.Namespace])
        supplied.append("torch.load of argparse.Namespace")
    if supplied:
        logging.getLogger(__name__).info("supplied for S3PRL: %s", ", ".join(supplied))
    return supplied


def patch_s3prl() -> None:
    """Supply what S3PRL needs before any of its modules runs."""
    patch_torch()
    patch_huggingface_hub()


def patch_huggingface_hub() -> None:
    """Supply ``HfFolder`` and ``Repository`` where huggingface_hub has none."""
    import huggingface_hub

    for cls in (HfFolder, Repository):
        if not hasattr(huggingface_hub, cls.__name__):
            setattr(huggingface_hub, cls.__name__, cls)


class HfFolder:
    """The user's token for the Hugging Face Hub, by the functions of today."""

    @staticmethod
    def get_token() -> str | None:
        """The token in the environment or in the file of ``hf auth login``."""
        from huggingface_hub import get_token

        return get_token()

    @staticmethod
    def save_token(token: str) -> None:
        """Save the token."""
        from huggingface_hub import login

        login(token)


class Repository:
    """A clone of a repository of the hub, which huggingface_hub no longer makes.

    Raises:
        ImportError: When it is used.
    """

    def __init__(self, *args, **kwargs):
        raise ImportError(
            "S3PRL's --push_to_hf_hub needs huggingface_hub.Repository, found "
            "huggingface_hub 1.0 or newer, which has none; upload the experiment with "
            "`hf upload`"
        )


def patch_pandas() -> None:
    """Supply ``Series.iteritems``, the old name of ``items``."""
    import pandas

    if not hasattr(pandas.Series, "iteritems"):
        pandas.Series.iteritems = pandas.Series.items


def set_audio_backend(backend: str | None) -> None:
    """Does nothing: soundfile is the only backend."""


def load(
    uri,
    frame_offset: int = 0,
    num_frames: int = -1,
    normalize: bool = True,
    channels_first: bool = True,
    **unused,
) -> tuple[Tensor, int]:
    """``torchaudio.load`` by soundfile.

    Args:
        uri: Path or file object.
        frame_offset: Samples to skip.
        num_frames: Samples to read, -1 for all.
        normalize: Unused: the result is float in [-1, 1], as in torchaudio >= 2.9.
        channels_first: (C, S), else (S, C).
        **unused: ``format``, ``buffer_size``, ``backend``.

    Returns:
        Samples and their rate (Hz).
    """
    import soundfile

    samples, sample_rate = soundfile.read(
        uri, num_frames, frame_offset, dtype="float32", always_2d=True
    )
    samples = torch.from_numpy(samples)
    return (samples.T if channels_first else samples), sample_rate


def info(uri, **unused) -> AudioMetaData:
    """``torchaudio.info`` by soundfile."""
    import soundfile

    found = soundfile.info(uri)
    bits = found.subtype.rpartition("_")[2]
    return AudioMetaData(
        found.samplerate,
        found.frames,
        found.channels,
        int(bits) if bits.isdigit() else 0,
        found.subtype,
    )


def _supply_sox_effects() -> None:
    """Install our module as torchaudio's, or our functions in its module if present."""
    from espnet_uniwav.integrations.s3prl import sox_effects

    if not hasattr(torchaudio, "sox_effects"):
        torchaudio.sox_effects = sys.modules["torchaudio.sox_effects"] = sox_effects
    for name in ("apply_effects_file", "apply_effects_tensor"):
        setattr(torchaudio.sox_effects, name, getattr(sox_effects, name))


def _has_sox_effects() -> bool:
    """Whether torchaudio has working SoX effects, or already has ours."""
    effects = getattr(torchaudio, "sox_effects", None)
    apply = getattr(effects, "apply_effects_file", None)
    if getattr(apply, "__module__", "").startswith("espnet_uniwav."):
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            effects.effect_names()
    except (AttributeError, ImportError, OSError, RuntimeError):
        return False
    return True


def _can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):
        return False
    return True
