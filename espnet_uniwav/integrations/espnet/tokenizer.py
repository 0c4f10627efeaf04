"""ESPnet2 adapter for speech tokens: ``model: uniwav_tokenizer`` of the SSL task."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from espnet2.ssl.espnet_model import ESPnetSSLModel
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.nn.draws import same_draws
from espnet_uniwav.core.nn.masks import cut_padding
from espnet_uniwav.core.nn.precision import bfloat16
from espnet_uniwav.core.renames import rename_tensors
from espnet_uniwav.integrations.espnet.extend import extend
from espnet_uniwav.integrations.espnet.pretrained import (
    StartsFromCheckpoint,
    read_architecture,
)
from espnet_uniwav.integrations.espnet.results import report
from espnet_uniwav.io.folder import load_strictly

NAME, KEY = "uniwav_tokenizer", "model_conf"
PARTS = ("features", "encoder", "decoder", "kept_frames", "tokenizer")


class UniWavTokenizerModel(StartsFromCheckpoint, ESPnetSSLModel):
    """``model: uniwav_tokenizer``: trains the decoder of a tokenizer on its codes.

    A configuration names only the checkpoint, and ``frontend_conf: {extracted: }`` if
    the features are on disk. Front end, encoder and losses are filled in because ESPnet
    builds them; encoder and losses are not used.

    Args:
        checkpoint: Folder made by ``uniwav cluster``.
        architecture: The checkpoint's model configuration, which ESPnet saves.
        bf16: Train in bfloat16 where that is safe, see ``nn.precision``.
        frontend: Built by ESPnet; reads features from disk.
        **unused: Parts built by ESPnet's SSL task.
    """

    @typechecked
    def __init__(
        self,
        checkpoint: str | Path | None = None,
        architecture: dict | None = None,
        bf16: bool = False,
        frontend: nn.Module | None = None,
        **unused,
    ):
        nn.Module.__init__(self)  # ESPnet only checks the type of this class
        self.checkpoint = checkpoint
        self.tokenizer = UniWavTokenizer.from_config(architecture)
        self.bf16 = bf16
        self.read_stored = frontend.forward if frontend is not None else None
        spec = self.tokenizer.features.spec
        pretrained = self.read_weights(spec, UniWavTokenizer.from_pretrained)
        if pretrained is not None:
            load_strictly(self.tokenizer, pretrained.state_dict(), str(checkpoint))

    def _load_from_state_dict(self, state_dict, prefix, *args):
        """Resume trainings of older versions, too: their tensors have other names."""
        renamed = rename_tensors(state_dict, "tokenizer", f"{prefix}tokenizer.")
        state_dict.clear()
        state_dict.update(renamed)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @staticmethod
    def adapt_task(task: type) -> None:
        """Make the SSL task read its parts from the checkpoint, and save them.

        Args:
            task: ESPnet's SSL task. A second call has no effect.
        """
        extend(task, "build_model", _build_model)

    def forward(self, speech: Tensor, speech_lengths: Tensor, **kwargs):
        """Losses of one batch.

        Args:
            speech: (B, S) samples, or (B, T, F) features from disk.
            speech_lengths: (B,) valid samples or frames.
            **kwargs: Text and utterance names, unused.

        Returns:
            loss, stats and weight (utterances), as ESPnet's trainer expects them.
        """
        self.require_weights()
        x, lengths = self._extract(speech, speech_lengths)
        with (
            bfloat16(speech.device, self.bf16),
            same_draws(speech.device, not self.training),
        ):
            loss, stats = self.tokenizer(x, lengths)
        stats["loss"] = loss.detach()
        return report(loss, stats, len(speech))

    def collect_feats(self, speech: Tensor, speech_lengths: Tensor, **kwargs):
        """Features for ``--collect_stats``."""
        x, lengths = self._extract(speech, speech_lengths)
        return {"feats": x, "feats_lengths": lengths}

    def _extract(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if speech.dim() == 3:
            return self.read_stored(speech, lengths)
        return self.tokenizer.features.extract(cut_padding(speech, lengths), lengths)


def _build_model(build: Callable, args: argparse.Namespace):
    """Describe the parts, then build as the task does."""
    if args.model == NAME:
        _describe(args)
    return build(args)


def _describe(args: argparse.Namespace) -> None:
    """Write the architecture, and settings that follow from it, into the arguments."""
    conf = args.model_conf
    architecture = conf.get("architecture")
    if architecture is None:
        architecture = read_architecture(
            conf.get("checkpoint"), PARTS, KEY, UniWavTokenizer.kind
        )
    args.model_conf = {**conf, "architecture": architecture}
    features = dict(architecture["features"])
    args.frontend, args.frontend_conf = (
        "uniwav",
        {
            "features": features.pop("name"),
            "fs": features.pop("sample_rate", 16000),
            "features_conf": features,
            "extracted": (args.frontend_conf or {}).get("extracted"),
        },
    )
    args.encoder, args.encoder_conf = "uniwav", dict(architecture["encoder"])
    args.normalize, args.preencoder, args.loss = None, None, []
