"""Forced alignment of a data folder by one of four methods."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from espnet_uniwav.apps.phones.alignment import write_folder
from espnet_uniwav.io.jobs import check_failures, process_all
from espnet_uniwav.io.kaldi import read_data_folder, thin_by_speaker
from espnet_uniwav.io.output import check_output


class Method(NamedTuple):
    """How a data folder is aligned.

    Attributes:
        unit: ``phones`` or ``tokens``.
        make_aligner: Called once per process; returns a function of an utterance.
        num_workers: Processes, see ``process_all``.
        unused: Called at the end; alignments that belong to no utterance, with reasons.
    """

    unit: str
    make_aligner: Callable
    num_workers: int = 0
    unused: Callable[[], dict] = dict


def align(
    data: Path,
    output: Path,
    method: Literal["pocketsphinx", "mfa", "table", "ctc"] = "pocketsphinx",
    textgrids: Path | None = None,
    alignments: Path | None = None,
    model: Path | None = None,
    config: Path | None = None,
    num_utterances: int | None = None,
    num_workers: int | None = None,
    device: str = "cpu",
    allow_failed: bool = False,
) -> str:
    """Align the utterances of a data folder, write the result, and summarise it.

    Args:
        data: Kaldi-style data folder: wav.scp, text, utt2spk.
        output: Folder to write.
        method: Aligner, or kind of existing alignments.
        textgrids: Output folder of MFA, for ``mfa``.
        alignments: Table (.tsv) of existing alignments, for ``table``.
        model: Folder of ``uniwav export``, a name, or model file (.pth), for ``ctc``.
        config: Of a .pth file; None: config.yaml beside it.
        num_utterances: Number of utterances, evenly spread; None: all.
        num_workers: Processes; 0: work in the main process; None: one per core.
        device: Torch device, such as cuda.
        allow_failed: Exit with status 0 if some failed, but not all.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError, ImportError: Naming the file and what to do.
    """
    check_output(output, folder=True)
    utterances = thin_by_speaker(read_data_folder(data / "wav.scp"), num_utterances)
    if not utterances:
        raise ValueError(f"{data / 'wav.scp'}: expected utterances, found none")
    if method == "pocketsphinx":
        chosen = pocketsphinx_method(data, num_workers)
    elif method == "mfa":
        chosen = mfa_method(textgrids)
    elif method == "table":
        chosen = table_method(alignments)
    else:
        chosen = ctc_method(data, model, config, device)
    aligned, reasons = {}, {}
    items = {utterance.name: utterance for utterance in utterances}
    for own in process_all(chosen.make_aligner, items, chosen.num_workers, "align"):
        if own.reason:
            reasons[own.name] = own.reason
        else:
            aligned[own.name] = own.value
    summary = f"{output}: {len(aligned)} of {len(utterances)} utterances aligned"
    failed = len(reasons)
    if unused := chosen.unused():
        summary += f"; {len(unused)} alignments belong to none of them"
    write_folder(output, aligned, {**reasons, **unused}, chosen.unit)
    return check_failures(summary, output, len(aligned), failed, allow_failed)


def pocketsphinx_method(data: Path, num_workers: int | None) -> Method:
    """See ``PocketSphinxAligner``."""
    from espnet_uniwav.apps.phones.pocketsphinx_aligner import PocketSphinxAligner

    if num_workers is None:
        num_workers = os.cpu_count() or 1
    if num_workers < 0:
        raise ValueError(f"--num_workers: expected 0 or more, found {num_workers}")
    _require_package("pocketsphinx")
    _require_file(data / "text")
    return Method("phones", PocketSphinxAligner, num_workers)


def mfa_method(textgrids: Path | None) -> Method:
    """See ``MFAAligner``."""
    from espnet_uniwav.lab.align.mfa import MFAAligner

    if textgrids is None:
        raise ValueError("--method mfa needs --textgrids FOLDER")
    _require_package("praatio")
    aligner = MFAAligner(textgrids)
    return Method("phones", lambda: aligner, unused=aligner.unused)


def table_method(alignments: Path | None) -> Method:
    """See ``TableAligner``."""
    from espnet_uniwav.lab.align.alignment_table import TableAligner

    if alignments is None:
        raise ValueError("--method table needs --alignments FILE.tsv")
    aligner = TableAligner(alignments)
    return Method("phones", lambda: aligner, unused=aligner.unused)


def ctc_method(
    data: Path, model: Path | None, config: Path | None, device: str
) -> Method:
    """See ``CTCAligner``."""
    from espnet_uniwav.integrations.espnet.ctc_aligner import load_recogniser
    from espnet_uniwav.lab.align.ctc import CTCAligner

    if model is None:
        raise ValueError("--method ctc needs --model FOLDER, or FILE.pth")
    _require_file(data / "text")
    aligner = CTCAligner(load_recogniser(config, model, device))
    return Method(aligner.unit, lambda: aligner)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; alignment needs the texts")


def _require_package(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"this method needs the package {name}: pip install {name}")
