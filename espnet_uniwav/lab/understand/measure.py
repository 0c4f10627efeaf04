"""Measure phone and speaker information in every layer of some checkpoints."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_uniwav.apps.tokenizer.files import read_codes
from espnet_uniwav.core.checkpoint import load_checkpoint, untrained_model
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.kaldi import thin_by_speaker
from espnet_uniwav.io.output import check_output
from espnet_uniwav.lab.understand.abx import AbxScore, AbxScorer, abx_notes
from espnet_uniwav.lab.understand.aligned_corpus import (
    Corpus,
    has_fastabx,
    missing_parts,
    read_alignments,
    read_corpus,
)
from espnet_uniwav.lab.understand.charts import RANDOM, RAW
from espnet_uniwav.lab.understand.layer_scores import NUM_RUNS, LayerScore, LayerScorer
from espnet_uniwav.lab.understand.section import write_understanding
from espnet_uniwav.lab.understand.states import FEATURES, States, collect_states

NamedFolder = tuple[str, Path]


def understand(
    checkpoint: Sequence[NamedFolder],
    data: Path,
    output: Path,
    codes: Sequence[NamedFolder] = (),
    fit_data: Path | None = None,
    alignment: Sequence[Path] = (),
    num_utterances: int | None = None,
    num_fit_utterances: int | None = None,
    clusters: int | None = None,
    runs: int = NUM_RUNS,
    max_frames: int = 50000,
    seed: int = 0,
    abx: bool = False,
    device: str = "cpu",
) -> str:
    """Measure all systems and write the folder.

    Args:
        checkpoint: Name and folder of each; raw features and random encoder are from
            the first one.
        data: Held-out Kaldi data folder.
        output: Folder to write.
        codes: Name and folder of each output of ``uniwav tokenize`` for ``data``.
        fit_data: Kaldi data folder to fit the phone probe on.
        alignment: Output folders of ``uniwav align``, for both data folders; phones are
            measured on the aligned utterances, speakers on all.
        num_utterances: Number of utterances, evenly spread; None: all.
        num_fit_utterances: Utterances of ``fit_data``; None: all.
        clusters: Clusters of k-means; None: up to 1024, of 300 frames or more each.
        runs: Runs of k-means, averaged.
        max_frames: Frames per data folder at most; more are thinned.
        seed: Seed of all random draws.
        abx: Measure phone ABX too; takes minutes for a layer, and the package fastabx.
        device: Torch device, such as cuda.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file or utterance and what to do.
    """
    check_output(output, folder=True)
    _check_names([name for name, _ in (*checkpoint, *codes)])
    _check_counts(runs=runs, clusters=clusters, max_frames=max_frames)
    alignments = read_alignments(alignment)
    held_out = read_corpus(data, alignments, num_utterances)
    fit = None
    if fit_data and alignments:
        fit = read_corpus(fit_data, alignments, num_fit_utterances, True)
    notes = list(_print(missing_parts(held_out, fit, abx)))
    abx = abx and has_fastabx() and bool(alignments)
    conf = dict(num_clusters=clusters, num_runs=runs, seed=seed)
    measurement = Measurement(held_out, fit, max_frames, conf, abx)
    found = measurement.score_all(make_systems(checkpoint, seed), codes, device)
    scores = sorted(_print(found), key=lambda score: score.system == RAW)
    notes += _print(abx_notes(scores, len(held_out.alignments)))
    write_understanding(output, scores, notes, shlex.join(sys.argv))
    return f"{output}: {len(scores)} scores"


def make_systems(
    checkpoints: Sequence[NamedFolder], seed: int
) -> Iterator[tuple[str, UniWav]]:
    """Load the checkpoints one by one, then build a random encoder like the first."""
    first = None
    for name, folder in checkpoints:
        model = load_checkpoint(folder)
        first = first or model.features.spec
        found = model.features.spec
        if found.frame_rate != first.frame_rate:
            raise ValueError(
                f"{folder}: expected {first.frame_rate:g} frames per second as in the "
                f"first checkpoint, found {found.frame_rate:g}; measure it by itself"
            )
        yield name, model
    yield RANDOM, untrained_model(checkpoints[0][1], seed)


@dataclass(frozen=True)
class Measurement:
    """What is measured of every system.

    Attributes:
        held_out: Measured on.
        fit: Fitted on.
        max_frames: Of either.
        conf: Further arguments of ``LayerScorer``.
        abx: Measure phone ABX too.
    """

    held_out: Corpus
    fit: Corpus | None
    max_frames: int
    conf: dict
    abx: bool = False

    def score_all(
        self,
        systems: Iterable[tuple[str, UniWav]],
        codes: Sequence[NamedFolder],
        device: str,
    ) -> Iterator[LayerScore | AbxScore]:
        """Score all systems; the raw features and codes with the first one."""
        for number, (name, model) in enumerate(systems):
            more = dict(with_raw=True, codes=codes) if number == 0 else {}
            yield from self.score(name, model.to(device), **more)

    def score(
        self,
        name: str,
        model: UniWav,
        with_raw: bool = False,
        codes: Sequence[NamedFolder] = (),
    ) -> Iterator[LayerScore | AbxScore]:
        """Score all layers of a system.

        Args:
            name: Of the system.
            model: On its device.
            with_raw: Score the raw features too.
            codes: To be scored too.
        """
        states = collect_states(model, self.held_out.utterances, self.max_frames)
        alignments, fit_states = dict(self.held_out.alignments), None
        if self.fit is not None:
            alignments.update(self.fit.alignments)
            fit_states = collect_states(model, self.fit.utterances, self.max_frames)
        fit_frames = fit_states.frames if fit_states else None
        scorer = LayerScorer(states.frames, alignments, fit_frames, **self.conf)
        for system, layer, values in _layers(name, states, with_raw):
            fit_values = fit_states.layers[layer] if fit_states else None
            yield from scorer.score(system, layer, values, fit_values)
        for own, folder in codes:
            for k, found in enumerate(states.frames.pick(read_codes(folder))):
                yield from scorer.score_codes(own, f"code {k + 1}", found)
        if not self.abx:
            return
        if (step := states.frames.step) > 1:
            aligned = [
                u
                for u in self.held_out.utterances
                if u.name in self.held_out.alignments
            ]
            fewer = thin_by_speaker(aligned, len(aligned) // step)
            states = fit_states = None  # The room of the new ones.
            states = collect_states(model, fewer)
        device = next(model.parameters()).device
        abx_scorer = AbxScorer(states.frames, alignments, self.conf["seed"], device)
        for place in _layers(name, states, with_raw):
            yield abx_scorer.score(*place)


def _layers(
    name: str, states: States, with_raw: bool
) -> Iterator[tuple[str, str, np.ndarray]]:
    """System, layer and states of each layer."""
    for layer, values in states.layers.items():
        if layer != FEATURES:
            yield name, layer, values
        elif with_raw:
            yield RAW, layer, values


def _print(found: Iterable) -> Iterator:
    """Print what comes, as it comes."""
    for one in found:
        print(one, flush=True)
        yield one


def _check_names(names: list[str]) -> None:
    names = [*names, RANDOM, RAW]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            "--checkpoint, --codes: expected a different name for each, found "
            f"{twice} twice; give names with NAME=FOLDER"
        )


def _check_counts(**counts: int | None) -> None:
    for option, value in counts.items():
        least = 2 if option == "clusters" else 1
        if value is not None and value < least:
            raise ValueError(f"--{option}: expected {least} or more, found {value}")
