"""The two objectives as ESPnet2 losses."""

from __future__ import annotations

from espnet2.ssl.loss.abs_loss import AbsSSLLoss
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.flow.matching import FlowMatching
from espnet_uniwav.model import UniWav
from espnet_uniwav.ssl.dinosr import DinoSR
from espnet_uniwav.ssl.encoder import Encoder
from espnet_uniwav.storage.folder import load_strictly


class UniWavLoss(AbsSSLLoss):
    """Base class: one of our objectives with ESPnet's loss interface.

    Args:
        encoder_output_size: Given by ESPnet; the encoder itself is attached later.
        weight: Factor of this loss in the sum.
        **conf: Arguments of the objective.
    """

    name: str
    util_attributes = ["span_mask", "perturb"]
    required_inputs = ["embedded", "hidden_states", "padding_mask", "masked"]

    @typechecked
    def __init__(self, encoder_output_size: int, weight: float = 1.0, **conf):
        super().__init__()
        self.weight = weight
        self.conf = conf

    def attach(self, encoder: Encoder, feature_dim: int) -> None:
        """Build the objective when encoder and features are known."""
        raise NotImplementedError

    def start_from(self, pretrained: UniWav, where: str) -> None:
        """Load the weights of this objective from a checkpoint, after ``attach``.

        Args:
            pretrained: Model of the same architecture.
            where: Its folder, for error messages.
        """

    def forward(self, **inputs) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted loss and statistics of one batch."""
        loss, stats = self.objective(**inputs)
        return self.weight * loss, {f"loss_{self.name}": loss.detach(), **stats}

    def after_optimizer_step(self, encoder: Encoder) -> None:
        """Called after every optimiser step."""


class DinoSRLoss(UniWavLoss):
    """``loss: dinosr``: see ``DinoSR`` for the arguments."""

    name = "dinosr"

    def attach(self, encoder: Encoder, feature_dim: int) -> None:
        self.objective = DinoSR(encoder, **self.conf)

    def after_optimizer_step(self, encoder: Encoder) -> None:
        self.objective.after_optimizer_step(encoder)


class FlowMatchingLoss(UniWavLoss):
    """``loss: flow_matching``: see ``FlowMatching`` for the arguments."""

    name = "flow_matching"
    required_inputs = ["features", "hidden_states", "padding_mask", "mask"]

    @typechecked
    def __init__(self, encoder_output_size: int, weight: float = 0.25, **conf):
        super().__init__(encoder_output_size, weight, **conf)

    def attach(self, encoder: Encoder, feature_dim: int) -> None:
        self.objective = FlowMatching(encoder, feature_dim, **self.conf)

    def start_from(self, pretrained: UniWav, where: str) -> None:
        """Load the decoder; a checkpoint without one leaves it untrained."""
        if pretrained.decoder is not None:
            for name in ("weighted_sum", "decoder"):
                weights = getattr(pretrained, name).state_dict()
                load_strictly(getattr(self.objective, name), weights, where)
