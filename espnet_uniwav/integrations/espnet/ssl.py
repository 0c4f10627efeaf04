"""ESPnet2 adapter for pre-training: names and shapes of the stock SSL task."""

from __future__ import annotations

import inspect
import time
from pathlib import Path

import torch
from espnet2.asr.encoder.abs_encoder import AbsEncoder
from espnet2.ssl.espnet_model import ESPnetSSLModel
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.nn.masks import (
    cut_padding,
    drop_if_unpadded,
    lengths_to_padding_mask,
)
from espnet_uniwav.core.nn.processes import sum_over_processes
from espnet_uniwav.core.pretraining import OBJECTIVES, Pretraining
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.optimizer_step import after_optimizer_step
from espnet_uniwav.integrations.espnet.results import report
from espnet_uniwav.integrations.espnet.ssl_frontend import UniWavFrontend
from espnet_uniwav.integrations.espnet.ssl_losses import (
    MaskedPredictionLoss,
    UniWavLoss,
)


class UniWavEncoder(AbsEncoder):
    """``encoder: uniwav``: see ``Encoder`` for the arguments."""

    def __init__(self, input_size: int, **conf):
        super().__init__()
        self.encoder = Encoder(input_size, **conf)

    def output_size(self) -> int:
        """Width D of a state."""
        return self.encoder.embed_dim

    def forward(
        self,
        xs_pad: Tensor,
        ilens: Tensor,
        prev_states: Tensor = None,
        masks: Tensor | None = None,
        return_all_hs: bool = False,
    ):
        """Encode unmasked features.

        Args:
            xs_pad: (B, T, F) features.
            ilens: (B,) valid frames.
            prev_states: Unused.
            masks: (B, T), True = padding; made from ilens if missing.
            return_all_hs: Also return all num_layers + 1 states.

        Returns:
            (B, T, D), or that and the list of states; ilens; None.
        """
        if masks is None:
            masks = lengths_to_padding_mask(ilens, xs_pad.shape[1])
        states = self.encoder(self.encoder.embed(xs_pad), drop_if_unpadded(masks))
        return ((states[-1], states) if return_all_hs else states[-1]), ilens, None


# ``--print_config`` shows the defaults of the encoder itself.
UniWavEncoder.__signature__ = inspect.signature(Encoder)


class UniWavSSLModel(ESPnetSSLModel):
    """``model: uniwav``: the joint model of the parts that ESPnet builds.

    The other arguments are those of ``Pretraining``.

    Args:
        frontend, encoder, losses, normalize, preencoder, **kwargs: Built by ESPnet.
        compile: Compile every layer with ``torch.compile``; this takes some minutes.

    Attributes:
        pretraining: The joint model. Its parts are registered once, as ESPnet's: their
            names in a saved model are ``frontend.``, ``encoder.`` and ``losses.``.
    """

    @typechecked
    def __init__(
        self,
        frontend,
        encoder,
        losses,
        normalize,
        preencoder,
        bf16: bool = False,
        checkpointing: bool = False,
        compile: bool = False,
        num_views: int = 1,
        checkpoint: str | Path | None = None,
        **kwargs,
    ):
        _check_parts(frontend, encoder, losses, normalize, preencoder)
        super().__init__(
            frontend=frontend,
            encoder=encoder,
            losses=losses,
            normalize=normalize,
            preencoder=preencoder,
            **kwargs,
        )
        pretraining = Pretraining(
            frontend.features,
            encoder.encoder,
            {x.name: x.conf if isinstance(x, UniWavLoss) else x for x in losses},
            self.util_modules["span_mask"],
            self.util_modules["perturb"],
            num_views,
            bf16,
            checkpointing,
            checkpoint,
        )
        for loss in losses:
            if isinstance(loss, UniWavLoss):
                loss.objective = pretraining.objectives[loss.name]
        if compile:
            pretraining.compile_layers(dynamic=True)
        object.__setattr__(self, "pretraining", pretraining)
        self.register_buffer("nonfinite_steps", torch.zeros(()))
        self._last_forward = None
        after_optimizer_step(self)

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        text: Tensor | None = None,
        **kwargs,
    ):
        """Losses of one batch.

        Args:
            speech: (B, S) samples.
            speech_lengths: (B,) valid samples.
            text: (B, T) labels of the frames, for ``loss: masked_prediction`` alone.
            **kwargs: Lengths and utterance names, unused.

        Returns:
            loss, stats and weight (masked frames), as ESPnet's trainer expects them.
        """
        features, lengths = self._extract_feats(speech, speech_lengths)
        # It is not registered: Lightning, for one, sets the mode of each module.
        self.pretraining.training = self.training
        loss, stats, number = self.pretraining(features, lengths, text)
        if self.training:
            nonfinite = (~loss.detach().isfinite()).float()
            sum_over_processes(nonfinite)
            self.nonfinite_steps += nonfinite.clamp(max=1.0)
        stats["nonfinite_steps"] = self.nonfinite_steps.clone()
        stats.update(self._speed(lengths.sum()))
        return report(loss, stats, float(max(number, 1)))

    def collect_feats(self, speech: Tensor, speech_lengths: Tensor, **kwargs):
        """Features for ``--collect_stats``; needs no text."""
        features, lengths = self._extract_feats(speech, speech_lengths)
        return {"feats": features, "feats_lengths": lengths}

    def _extract_feats(self, speech: Tensor, speech_lengths: Tensor):
        """As ESPnet's, which reads the longest length from a GPU to cut the padding."""
        return self.frontend(cut_padding(speech, speech_lengths), speech_lengths)

    def after_optimizer_step(self) -> None:
        """Count the steps of the optimiser; the joint model follows them itself."""
        self.global_step += 1

    def _speed(self, frames: Tensor) -> dict[str, Tensor]:
        """Seconds of audio per second of wall time since the previous batch."""
        now, last = time.perf_counter(), self._last_forward
        self._last_forward = now if self.training else None
        if last is None or not self.training:
            return {}
        seconds = frames / self.frontend.features.spec.frame_rate
        return {"audio_seconds_per_second": seconds / (now - last)}


def _check_parts(frontend, encoder, losses, normalize, preencoder) -> None:
    if not isinstance(frontend, UniWavFrontend) or not isinstance(
        encoder, UniWavEncoder
    ):
        raise ValueError(
            "model: uniwav needs frontend: uniwav and encoder: uniwav, found "
            f"{type(frontend).__name__} and {type(encoder).__name__}"
        )
    for key, part in (("normalize", normalize), ("preencoder", preencoder)):
        if part is not None:
            raise ValueError(
                f"model: uniwav normalises and projects itself: set {key}: null, "
                f"found {type(part).__name__}"
            )
    for loss in losses:
        if not isinstance(loss, UniWavLoss | MaskedPredictionLoss):
            raise ValueError(
                f"model: uniwav takes loss: {', '.join(OBJECTIVES)} and "
                f"masked_prediction, found {type(loss).__name__}"
            )
        if isinstance(loss, MaskedPredictionLoss) and encoder.encoder.visible_only:
            raise ValueError(
                "loss: masked_prediction needs states at masked frames: set "
                "visible_only: false, or use loss: dinosr"
            )
    names = [loss.name for loss in losses]
    if len(set(names)) < len(names):
        raise ValueError(f"model: uniwav takes every loss once, found loss: {names}")
