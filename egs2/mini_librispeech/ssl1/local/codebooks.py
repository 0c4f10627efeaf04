#!/usr/bin/env python3
"""Measures what the codes that pre-training predicts know of phones.

    python local/codebooks.py exp/train_small/latest.pth --data TEST --alignment ALI

An exported checkpoint has no teacher and no codebooks, so this reads a model file of
the experiment. The teacher reads unmasked speech; every frame counts, silence too, as
in HuBERT and SpidR. PNMI is the information about the phone over its entropy; `held
out` is the information if every utterance is read with the table of all others, see
`espnet_uniwav.lab.understand.mutual_information`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from espnet_uniwav.apps.phones.ctm import Segment, frame_labels
from espnet_uniwav.cli.command import check_options
from espnet_uniwav.cli.options import add_device, add_num_utterances
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.integrations.espnet.experiment import describe, model_weights
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
        model: With the encoder that the teacher follows.
        objective: With teacher and codebooks.
    """

    weighted_sum = None

    def __init__(self, model: UniWav, objective: DinoSR):
        super().__init__()
        self.features, self.encoder = model.features, model.encoder
        self.objective = objective

    def hidden_states(self, x: Tensor, padding_mask: Tensor | None) -> list[Tensor]:
        """K codes of (B, T, F) features, each (B, T, 1), lowest layer first."""
        number = self.objective.num_codebooks
        embedded = self.encoder.embed(x)
        targets = self.objective.teacher(embedded, padding_mask, number)
        codes = self.objective.codebooks.assign(targets.flatten(1, 2))
        return list(codes.view(*targets.shape[:-1], 1))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model_file", type=Path, help="EXPERIMENT/NAME.pth")
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder")
    parser.add_argument(
        "--alignment", type=Path, required=True, help="output of `uniwav align` for it"
    )
    add_num_utterances(parser)
    add_device(parser)
    args = parser.parse_args()
    check_options(args)
    corpus = read_corpus(
        args.data, read_alignments([args.alignment]), args.num_utterances, True
    )
    codes = load_codes(args.model_file).to(args.device).eval()
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
    place = names.index("dinosr")
    conf = dict(args["loss"][place].get("conf") or {})
    conf.pop("weight", None)
    with error_context(config):
        _, content, prefixes = describe(config, args)
        model = UniWav.from_config({**content, "decoder": None})
        objective = DinoSR(model.encoder, **conf)
    state, own = read_state(model_file), model.state_dict()
    weights = {k: v for k, v in model_weights(state, prefixes).items() if k in own}
    load_strictly(model, weights, str(model_file))
    prefix = f"losses.{place}.objective."
    weights = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    load_strictly(objective, weights, str(model_file))
    return TeacherCodes(model, objective)


def phone_of_frames(frames: Frames, alignments: dict[str, list[Segment]]) -> np.ndarray:
    """(N,) number of the phone at the centre of each frame; silence is one, too."""
    labels = [
        frame_labels(alignments[utterance.name], length, frames.frame_rate)
        for utterance, length in zip(frames.utterances, frames.lengths)
    ]
    return np.unique(np.concatenate(labels), return_inverse=True)[1]


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"codebooks.py: {error}")
