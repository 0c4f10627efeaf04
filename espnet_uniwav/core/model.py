"""UniWav: features -> encoder -> hidden states -> z -> decoder -> features."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.features import AbsFeatures, FeatureSpec, build_features
from espnet_uniwav.core.flow.decoder import FlowDecoder
from espnet_uniwav.core.flow.sampling import Sampling, draw_frames
from espnet_uniwav.core.nn.given import TRUTH, as_mask, as_tensor
from espnet_uniwav.core.nn.weighted_sum import WeightedSum
from espnet_uniwav.core.ssl.encoder import Encoder


class UniWav(nn.Module):
    """A pre-trained model for understanding and generation.

    Args:
        features: Feature space.
        encoder: Reads the features.
        weighted_sum: States -> z; None without a decoder.
        decoder: Flow decoder; None if it was not trained.
        kept_frames: Input of the decoder at given frames, see ``FlowMatching``.
    """

    kind = "uniwav"

    def __init__(
        self,
        features: AbsFeatures,
        encoder: Encoder,
        weighted_sum: WeightedSum | None = None,
        decoder: FlowDecoder | None = None,
        kept_frames: str = "data",
    ):
        super().__init__()
        self.features = features
        self.encoder = encoder
        self.weighted_sum = weighted_sum
        self.decoder = decoder
        self.kept_frames = kept_frames

    @classmethod
    def from_config(cls, config: dict) -> UniWav:
        """Build an untrained model.

        Args:
            config: ``features`` (name and arguments), ``encoder`` (arguments),
                ``decoder`` (arguments or None), ``kept_frames``.
        """
        features = build_features(**config["features"])
        encoder = Encoder(features.spec.dim, **config["encoder"])
        if config.get("decoder") is None:
            return cls(features, encoder)
        decoder = {"embed_dim": encoder.embed_dim, **config["decoder"]}
        return cls(
            features,
            encoder,
            WeightedSum(encoder.num_layers + 1),
            FlowDecoder(features.spec.dim, encoder.embed_dim, **decoder),
            config.get("kept_frames", "data"),
        )

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        expected_spec: FeatureSpec | None = None,
        revision: str | None = None,
    ) -> UniWav:
        """Load a checkpoint; see ``load_checkpoint``, and ``load`` for a revision."""
        found = read_checkpoint(folder, revision=revision)
        return found.load(cls, expected_spec)

    def hidden_states(
        self,
        x: Tensor,
        padding_mask: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> list[Tensor]:
        """Compute all states of the encoder.

        Args:
            x: (B, T, F) features, tensor or array; (T, F) is a batch of one, here and
                in the masks.
            padding_mask: (B, T), True = padding.
            mask: (B, T), True = hidden from the encoder.

        Returns:
            num_layers + 1 tensors (B, T, D).

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``.
        """
        x = self.features.as_frames(x)
        padding_mask = as_mask(padding_mask, x, "padding_mask")
        mask = as_mask(mask, x, "mask")
        return self.encoder(self.encoder.embed(x), padding_mask, mask)

    def layer_weights(self) -> Tensor:
        """(num_layers + 1,) weights of the states in z; they sum to one."""
        self._require_decoder()
        return self.weighted_sum.weights().detach()

    @torch.no_grad()
    def infill(
        self,
        x: Tensor,
        mask: Tensor,
        padding_mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        **sampling,
    ) -> Tensor:
        """Generate masked frames from the frames around them.

        Args:
            x: (B, T, F) features; masked frames may hold any finite values.
            mask: (B, T), True = generate this frame.
            padding_mask: (B, T), True = padding.
            generator: Source of the noise, for repeatable results.
            **sampling: Settings of ``Sampling``, such as ``num_steps``.

        Returns:
            (B, T, F): x where mask is False, bit for bit; generated elsewhere.

        Raises:
            RuntimeError: If the checkpoint has no decoder.
            TypeError, ValueError: As of ``hidden_states``.
        """
        self._require_decoder()
        x = self.features.as_frames(x)
        padding_mask = as_mask(padding_mask, x, "padding_mask")
        mask = as_mask(as_tensor(mask, "mask", "BT", TRUTH), x, "mask")
        z = self.weighted_sum(self.hidden_states(x, padding_mask, mask))
        return self.generate(x, mask, z, padding_mask, Sampling(**sampling), generator)

    @torch.no_grad()
    def generate(
        self,
        x: Tensor,
        mask: Tensor,
        z: Tensor,
        padding_mask: Tensor | None = None,
        sampling: Sampling = Sampling(),
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Draw the masked frames from the flow, given the frames around them.

        Args:
            x: (B, T, F) features; masked frames may hold any finite values.
            mask: (B, T), True = generate this frame.
            z: (B, T, C) condition.
            padding_mask: (B, T), True = padding.
            sampling: Settings of the solver.
            generator: Source of the noise, for repeatable results.
            noise: (B, T, F) of unit variance; None: drawn.

        Returns:
            (B, T, F): x where mask is False, bit for bit; generated elsewhere.
        """
        if noise is None:
            noise = torch.randn(
                x.shape, generator=generator, device=x.device, dtype=x.dtype
            )
        return draw_frames(
            self.decoder, x, mask, z, noise, padding_mask, sampling, self.kept_frames
        )

    def _require_decoder(self) -> None:
        if self.decoder is None:
            raise RuntimeError(
                "this checkpoint has no decoder: it was trained without the "
                "flow_matching loss. Use one that was trained with it."
            )
