"""UniWav: features -> encoder -> hidden states -> z -> decoder -> features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.features import AbsFeatures, build_features
from espnet_uniwav.flow.decoder import FlowDecoder
from espnet_uniwav.flow.path import sample_path
from espnet_uniwav.flow.solver import guide, solve
from espnet_uniwav.nn.weighted_sum import WeightedSum
from espnet_uniwav.ssl.encoder import Encoder

# Frames to be generated stay short of t = 1, where the decoder takes them as given.
LAST_TIME = 1 - 1e-3


class UniWav(nn.Module):
    """A pre-trained model, for understanding and for generation.

    Args:
        features: Feature space.
        encoder: Encoder of its frames.
        weighted_sum: States -> z; None without a decoder.
        decoder: Flow decoder; None if it was not trained.
        kept_frames: What the decoder saw at given frames, see ``FlowMatching``.
    """

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

    def hidden_states(
        self,
        x: Tensor,
        padding_mask: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> list[Tensor]:
        """All states of the encoder.

        Args:
            x: (B, T, F) features.
            padding_mask: (B, T), True = padding.
            mask: (B, T), True = hidden from the encoder.

        Returns:
            num_layers + 1 tensors (B, T, D).
        """
        return self.encoder(self.encoder.embed(x), padding_mask, mask)

    def layer_weights(self) -> Tensor:
        """(num_layers + 1,) weights of the states in z, which sum to one."""
        self._require_decoder()
        return self.weighted_sum.weights().detach()

    @torch.no_grad()
    def infill(
        self,
        x: Tensor,
        mask: Tensor,
        padding_mask: Tensor | None = None,
        num_steps: int = 16,
        method: str = "midpoint",
        guidance_scale: float = 0.0,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Generate masked frames from the frames around them.

        Args:
            x: (B, T, F) features; masked frames may hold anything finite.
            mask: (B, T), True = generate this frame.
            padding_mask: (B, T), True = padding.
            num_steps: Steps of the solver.
            method: ``euler``, ``midpoint`` or ``heun``.
            guidance_scale: a of classifier-free guidance; 0 switches it off. The
                unconditional pass has no z, and sees given frames as noisy as others.
            temperature: Deviation of the initial noise.
            generator: Source of the noise, for repeatable results.

        Returns:
            (B, T, F): x where mask is False, bit for bit; generated elsewhere.

        Raises:
            RuntimeError: If the checkpoint has no decoder.
        """
        self._require_decoder()
        z = self.weighted_sum(self.hidden_states(x, padding_mask, mask))
        noise = torch.randn(
            x.shape, generator=generator, device=x.device, dtype=x.dtype
        )
        x_0 = temperature * noise
        frames = mask[..., None]

        def velocity(x_t: Tensor, t: Tensor) -> Tensor:
            t = t.clamp(max=LAST_TIME)
            given, times = self._given(x, x_0, mask, t)
            x_t = torch.where(frames, x_t, given)
            v = self.decoder(x_t, times, z, padding_mask)
            if guidance_scale == 0:
                return v
            path = torch.where(frames, x_t, sample_path(x_0, x, t.expand(len(x)))[0])
            everywhere = t.expand(mask.shape)
            empty = self.decoder(path, everywhere, torch.zeros_like(z), padding_mask)
            return guide(v, empty, guidance_scale)

        return torch.where(frames, solve(velocity, x_0, num_steps, method), x)

    def _given(
        self, x: Tensor, x_0: Tensor, mask: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What stands at given frames, and (B, T) times of all frames."""
        times = t.expand(mask.shape)
        if self.kept_frames == "data":
            return x, torch.where(mask, times, 1.0)
        return sample_path(x_0, x, times)[0], times

    def _require_decoder(self) -> None:
        if self.decoder is None:
            raise RuntimeError(
                "this checkpoint has no decoder: it was trained without the "
                "flow_matching loss. Use one that was trained with it."
            )
