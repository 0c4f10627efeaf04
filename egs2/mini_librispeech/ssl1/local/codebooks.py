#!/usr/bin/env python3
"""Measures what the codes that pre-training predicts know of phones.

An exported checkpoint has no teacher and no codebooks, so this reads a model file of
the experiment. The teacher reads unmasked speech; every frame counts, silence too, as
in HuBERT and SpidR. PNMI is the information about the phone over its entropy; `held
out` is the information if every utterance is read with the table of all others, see
`espnet_uniwav.lab.understand.mutual_information`.

examples:
  python local/codebooks.py exp/train_small/latest.pth --data TEST --alignment ALI
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from espnet_uniwav.apps.phones.ctm import Segment, frame_labels
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.espnet.experiment import (
    espnet_prefixes,
    model_weights,
    pretraining_config,
)
from espnet_uniwav.io.folder import CONFIG, load_strictly
from espnet_uniwav.io.input import error_context, read_yaml
from espnet_uniwav.io.saved import read_state
from espnet_uniwav.lab.understand.aligned_corpus import read_alignments, read_corpus
from espnet_uniwav.lab.understand.mutual_information import mutual_information
from espnet_uniwav.lab.understand.states import Frames, collect_states

HEAD = """
| layer | codes used | information, bits | PNMI | held out, bits |
|---|---|---|---|---|"""


class TeacherCodes(nn.Module):
    """Gives the codes of the teacher in place of the states of a model.

    Args:
        model: With the objective ``dinosr``.
    """

    weighted_sum = None

    def __init__(self, model: Pretraining):
        super().__init__()
        self.features, self.encoder = model.features, model.encoder
        self.objective = model.dinosr

    def hidden_states(self, x: Tensor, padding_mask: Tensor | None) -> list[Tensor]:
        """K codes of (B, T, F) features, each (B, T, 1), lowest layer first."""
        number = self.objective.num_codebooks
        embedded = self.encoder.embed(x)
        targets = self.objective.teacher(embedded, padding_mask, number)
        codes = self.objective.codebooks.assign(targets.flatten(1, 2))
        return list(codes.view(*targets.shape[:-1], 1))


def codebooks(
    model_file: Path,
    data: Path,
    alignment: Path,
    num_utterances: int | None = None,
    device: str = "cpu",
) -> None:
    """Print a table of the codebooks.

    Args:
        model_file: EXPERIMENT/NAME.pth.
        data: Kaldi data folder.
        alignment: Output folder of ``uniwav align`` for it.
        num_utterances: Number of utterances, evenly spread; None: all.
        device: Torch device, such as cuda.
    """
    corpus = read_corpus(data, read_alignments([alignment]), num_utterances, True)
    codes = load_codes(model_file).to(device).eval()
    states = collect_states(codes, corpus.utterances)
    phones = phone_of_frames(states.frames, corpus.alignments)
    print(f"{len(phones)} frames of {len(corpus.utterances)} utterances\n{HEAD}")
    first = codes.encoder.num_layers - codes.objective.num_codebooks
    for k in range(codes.objective.num_codebooks):
        own = states.layers[str(k)][:, 0]
        found = mutual_information(own, phones, states.frames.owner)
        print(
            f"| {first + k + 1} | {len(np.unique(own))} | {found.plug_in:.3f} of "
            f"{found.entropy:.3f} | {found.plug_in / found.entropy:.3f} | "
            f"{found.held_out:.3f} |"
        )


def load_codes(model_file: Path) -> TeacherCodes:
    """Load encoder, teacher and codebooks of an experiment; executes no pickle.

    Raises:
        FileNotFoundError, ValueError: Naming the file.
    """
    config = model_file.with_name(CONFIG)
    args = read_yaml(config)
    names = [loss["name"] for loss in args.get("loss") or []]
    if "dinosr" not in names:
        raise ValueError(
            f"{config}: expected pre-training with loss: dinosr, found loss: {names}"
        )
    with error_context(config):
        conf = pretraining_config(args)
        conf["objectives"] = {"dinosr": conf["objectives"]["dinosr"]}
        model = Pretraining.from_config(conf)
    prefixes = {
        theirs: ours
        for ours, theirs in espnet_prefixes(args).items()
        if ours in ("features.", "encoder.", "dinosr.")
    }
    weights = model_weights(read_state(model_file), prefixes)
    load_strictly(model, weights, str(model_file))
    return TeacherCodes(model)


def phone_of_frames(frames: Frames, alignments: dict[str, list[Segment]]) -> np.ndarray:
    """(N,) number of the phone at the centre of each frame; silence is one, too."""
    labels = [
        frame_labels(alignments[utterance.name], length, frames.frame_rate)
        for utterance, length in zip(frames.utterances, frames.lengths)
    ]
    return np.unique(np.concatenate(labels), return_inverse=True)[1]


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(codebooks, "model_file", argv)


if __name__ == "__main__":
    main()
