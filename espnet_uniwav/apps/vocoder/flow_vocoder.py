"""A vocoder by flow matching: x -> latents of a neural codec -> waveform."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.core.features import AbsFeatures, build_features
from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.distillation import distillation_loss
from espnet_uniwav.core.flow.matching import flow_matching_loss
from espnet_uniwav.core.flow.sampling import Sampling, draw_frames

WITHOUT_CONDITION = 0.1  # share of the segments in training, for guidance
SEED = 0  # of the noise: the same features sound the same
SAMPLING = dict(num_steps=8, method="euler", guidance_scale=0.7, temperature=0.6)


class FlowVocoder(nn.Module):
    """Draws a codec's latents given features, and speaks by the codec's decoder.

    Features such as log-mel spectra leave out what a codec's latents hold, above all
    the phase: the latents that fit are many, and their mean sounds like none of them.
    So the decoder of UniWav draws one of them. The codec bounds the sound, not a head
    that was trained here.

    Args:
        features: Feature space to invert.
        latents: Name and arguments of the codec's feature space, which has the same
            hop and rate; its files are no part of a checkpoint.
        sampling: What differs from ``SAMPLING``, see ``Sampling``.
        **decoder: Arguments of ``FlowDecoder``.

    Raises:
        ValueError: If the frames of the two spaces are not the same samples.
    """

    kind = "vocoder"

    def __init__(
        self,
        features: AbsFeatures,
        latents: dict,
        sampling: dict | None = None,
        **decoder,
    ):
        super().__init__()
        self.features = features
        self.latents = build_features(**latents)
        for name in ("sample_rate", "hop_length"):
            found, own = (getattr(s.spec, name) for s in (self.latents, features))
            if found != own:
                raise ValueError(
                    f"latents: expected a {name} of {own}, as the features, found "
                    f"{found}"
                )
        self.sampling = Sampling(**{**SAMPLING, **(sampling or {})})
        sizes = self.latents.spec.dim, features.spec.dim
        self.decoder = FlowDecoder(*sizes, **decoder)

    def loss(self, speech: Tensor) -> Tensor:
        """Mean squared error of the velocity for (B, S) samples, a scalar in fp32."""
        condition, _ = self.features.extract(speech)
        x, _ = self.latents.extract(speech)
        mask = x.new_ones(x.shape[:2], dtype=torch.bool)
        return flow_matching_loss(
            self.decoder, x, condition, None, mask, WITHOUT_CONDITION
        )

    def distillation_loss(self, teacher: FlowVocoder, speech: Tensor) -> Tensor:
        """Learn to draw in few steps, without guidance, what a teacher draws in more.

        Args:
            teacher: Frozen vocoder of the same features and latents.
            speech: (B, S) samples; no latents are extracted, so the codec is not read.

        Returns:
            Scalar in fp32, see ``core.flow.distillation``.
        """
        condition, _ = self.features.extract(speech)
        mask, x = self._empty(condition)
        return distillation_loss(
            self.decoder,
            teacher.decoder,
            x,
            mask,
            condition,
            sampling=teacher.sampling,
            num_steps=self.sampling.num_steps,
        )

    def check_teacher(self, teacher: nn.Module) -> None:
        """Raise a ValueError if this one cannot learn to draw what a teacher draws."""
        if not isinstance(teacher, FlowVocoder):
            raise ValueError("expected a vocoder that draws a codec's latents")
        if teacher.latents.spec != self.latents.spec:
            raise ValueError(
                f"expected latents {self.latents.spec}, found {teacher.latents.spec}"
            )
        steps, own = teacher.sampling.num_steps, self.sampling.num_steps
        expected = teacher.sampling.but(num_steps=own, guidance_scale=0.0)
        if steps % own or self.sampling != expected or expected.method != "euler":
            raise ValueError(
                f"sampling: a student makes Euler steps that divide the {steps} of its "
                f"teacher ({teacher.sampling}), without guidance and with its "
                f"temperature, found {self.sampling}"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, F) normalised features to (B, T * hop) samples.

        Raises:
            TypeError, ValueError: As of ``AbsFeatures.as_frames``.
            ImportError, DownloadError: If the codec's files are missing, see ``Lyra``.
        """
        return self.latents.invert(self.draw(x))[0]

    @torch.no_grad()
    def draw(self, x: Tensor) -> Tensor:
        """Map (B, T, F) normalised features to (B, T, L) latents; needs no codec.

        Raises:
            TypeError, ValueError: As of ``AbsFeatures.as_frames``.
        """
        condition = self.features.as_frames(x)
        mask, x = self._empty(condition)
        generator = torch.Generator().manual_seed(SEED)
        noise = torch.randn(x.shape, generator=generator).to(x)
        return draw_frames(
            self.decoder, x, mask, condition, noise, sampling=self.sampling
        )

    def _empty(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """All frames of (B, T, F) are drawn: mask (B, T), latents (B, T, L) of zero."""
        mask = condition.new_ones(condition.shape[:2], dtype=torch.bool)
        return mask, condition.new_zeros((*mask.shape, self.latents.spec.dim))
