"""The entries that ``plugin.py`` adds to ``s3prl.hub``.

    python -m espnet_uniwav.run -m s3prl.run_downstream \\
        -u uniwav_local -k CHECKPOINT ...

S3PRL's options arrive here as ``-k`` (ckpt), ``-g`` (model_config), ``-r`` (refresh).
"""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.integrations.s3prl.archive import fetch_checkpoint
from espnet_uniwav.integrations.s3prl.expert import UpstreamExpert
from espnet_uniwav.io.input import read_yaml


def uniwav_local(
    ckpt: str | Path | None = None,
    model_config: str | Path | None = None,
    refresh: bool = False,
    **extra,
) -> UpstreamExpert:
    """A checkpoint folder on this machine, a packaged model, or OWNER/NAME on the hub.

    Args:
        ckpt: The folder, or the name, such as ``small``.
        model_config: A yaml file with arguments of ``UpstreamExpert``.
        refresh: Unused: nothing is downloaded.
        **extra: More such arguments, before those of the file.

    Raises:
        ValueError: If ckpt is missing.
        TypeError: If an argument is unknown.
    """
    ckpt = _required(ckpt, "uniwav_local", "a checkpoint folder or name")
    return UpstreamExpert(ckpt, **{**_read(model_config), **extra})


def uniwav_random_local(
    ckpt: str | Path | None = None,
    model_config: str | Path | None = None,
    refresh: bool = False,
    **extra,
) -> UpstreamExpert:
    """The untrained control: a checkpoint's architecture and features, seed 0.

    See ``uniwav_local``; ``random_seed: N`` in model_config draws other weights.
    """
    ckpt = _required(ckpt, "uniwav_random_local", "a checkpoint folder or name")
    return UpstreamExpert(ckpt, **{"random_seed": 0, **_read(model_config), **extra})


def uniwav_url(
    ckpt: str | None = None,
    model_config: str | Path | None = None,
    refresh: bool = False,
    **extra,
) -> UpstreamExpert:
    """A zip or tar archive of a checkpoint folder on the web.

    Args:
        ckpt: Its URL: http, https or file; ``#sha256=HEX`` at the end is checked.
        model_config: See ``uniwav_local``.
        refresh: Download again what S3PRL's cache holds already.
        **extra: See ``uniwav_local``.

    Raises:
        ValueError: If ckpt is missing or no such archive.
        RuntimeError: If it cannot be downloaded.
    """
    ckpt = _required(ckpt, "uniwav_url", "the URL of an archive")
    return uniwav_local(fetch_checkpoint(ckpt, refresh), model_config, **extra)


def _required(ckpt, name: str, what: str):
    if ckpt is None:
        raise ValueError(
            f"{name} needs {what}, found none: give it as `-k` to run_downstream, as "
            "`path_or_url` to S3PRLUpstream and ESPnet's s3prl frontend, or as `ckpt`"
        )
    return ckpt


def _read(model_config: str | Path | None) -> dict:
    if model_config is None:
        return {}
    return read_yaml(model_config)
