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
from espnet_uniwav.lab.understand.abx import AbxScore, AbxScorer
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
from espnet_uniwav.lab.understand.states import (
    FEATURES,
    States,
    collect_states,
    estimate_frames,
)

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
    alignments = read_alignments(alignment)
    held_out = read_corpus(data, alignments, num_utterances)
    few = fit_data and alignments
    fit = read_corpus(fit_data, alignments, num_fit_utterances, True) if few else None
    notes = list(_print(missing_parts(held_out, fit, abx)))
    conf = dict(num_clusters=clusters, num_runs=runs, seed=seed)
    with_abx = abx and has_fastabx() and bool(held_out.alignments)
    scores = []
    for number, (name, model) in enumerate(make_systems(checkpoint, seed)):
        system = System(name, model.to(device), held_out, max_frames, number == 0)
        scores += _print(system.score_layers(fit, codes if number == 0 else (), conf))
        if with_abx:
            scores += _print(system.score_abx(seed))
    scores.sort(key=lambda score: score.system == RAW)
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
class System:
    """A model, and what it is measured on.

    Attributes:
        name: Of the model.
        model: On its device.
        corpus: Held-out utterances.
        max_frames: Of a corpus; more are thinned.
        with_raw: Measure the raw features too.
    """

    name: str
    model: UniWav
    corpus: Corpus
    max_frames: int
    with_raw: bool

    def score_layers(
        self, fit: Corpus | None, codes: Sequence[NamedFolder], conf: dict
    ) -> Iterator[LayerScore]:
        """Score all layers, and codes.

        Args:
            fit: To fit the phone probe on.
            codes: Name and folder of each.
            conf: Further arguments of ``LayerScorer``.
        """
        states = collect_states(self.model, self.corpus.utterances, self.max_frames)
        alignments, fit_frames, fit_layers = self.corpus.alignments, None, {}
        if fit is not None:
            alignments = {**alignments, **fit.alignments}
            fitted = collect_states(self.model, fit.utterances, self.max_frames)
            fit_frames, fit_layers = fitted.frames, fitted.layers
        scorer = LayerScorer(states.frames, alignments, fit_frames, **conf)
        for system, layer, values in self._layers(states):
            yield from scorer.score(system, layer, values, fit_layers.get(layer))
        for own, folder in codes:
            for k, found in enumerate(states.frames.pick(read_codes(folder))):
                yield from scorer.score_codes(own, f"code {k + 1}", found)

    def score_abx(self, seed: int) -> Iterator[AbxScore]:
        """Score phone ABX on about ``max_frames`` frames, which are neighbours."""
        utterances, alignments = self.corpus.utterances, self.corpus.alignments
        _, step = estimate_frames(self.model, utterances, self.max_frames)
        aligned = [u for u in utterances if u.name in alignments]
        states = collect_states(
            self.model, thin_by_speaker(aligned, len(aligned) // step)
        )
        device = next(self.model.parameters()).device
        scorer = AbxScorer(states.frames, alignments, seed, device)
        for place in self._layers(states):
            yield scorer.score(*place)

    def _layers(self, states: States) -> Iterator[tuple[str, str, np.ndarray]]:
        """System, layer and states of each layer."""
        for layer, values in states.layers.items():
            if layer != FEATURES:
                yield self.name, layer, values
            elif self.with_raw:
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
