"""The two objectives as ESPnet2 losses, and HuBERT's beside them."""

from __future__ import annotations

import torch
from espnet2.ssl.loss.abs_loss import AbsSSLLoss
from espnet2.ssl.loss.hubert import HuBERTLoss
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.flow.matching import FlowMatching
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.integrations.espnet.labels import fit_labels
from espnet_uniwav.io.folder import load_strictly


class UniWavLoss(AbsSSLLoss):
    """Base class: one of our objectives with ESPnet's loss interface.

    Args:
        encoder_output_size: Given by ESPnet; the encoder itself is attached later.
        weight: Factor of this loss in the sum.
        **conf: Arguments of the objective.
    """

    name: str
    num_ffn = 0  # top layers whose FFN outputs it needs
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
    required_inputs = [*UniWavLoss.required_inputs, "ffn_outputs"]

    def attach(self, encoder: Encoder, feature_dim: int) -> None:
        self.objective = DinoSR(encoder, **self.conf)
        self.num_ffn = self.objective.num_ffn

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


class MaskedPredictionLoss(UniWavLoss):
    """``loss: masked_prediction``: ESPnet's HuBERT loss, on our encoder and masks.

    Predicts given labels of the masked frames (Hsu et al. 2021), such as the clusters
    of an earlier model, instead of a teacher's codes. Training and validation need the
    data name ``text``: a label for every frame, of the type ``text_int``.

    Args:
        encoder_output_size: Given by ESPnet.
        weight: Factor of this loss in the sum.
        num_classes: Number of labels.
        final_dim: Width of the projection before the labels.
        **conf: More arguments of ESPnet's ``HuBERTLoss``, such as ``layers``.
    """

    name = "masked_prediction"
    required_inputs = ["hidden_states", "padding_mask", "masked", "labels"]

    @typechecked
    def __init__(
        self,
        encoder_output_size: int,
        weight: float = 1.0,
        num_classes: int = 100,
        final_dim: int = 256,
        **conf,
    ):
        super().__init__(encoder_output_size, weight, **conf)
        self.hubert = HuBERTLoss(encoder_output_size, num_classes, final_dim, **conf)

    def attach(self, encoder: Encoder, feature_dim: int) -> None:
        if encoder.visible_only:
            raise ValueError(
                "loss: masked_prediction needs states at masked frames: set "
                "visible_only: false, or use loss: dinosr"
            )

    def objective(
        self,
        hidden_states: list[Tensor],
        padding_mask: Tensor | None,
        masked: Tensor,
        labels: Tensor | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Args:
            hidden_states: (V * B, T, D) states of the masked pass of all V views.
            padding_mask: (B, T), True = padding.
            masked: (N,) indices of the masked frames in the flattened (V * B * T).
            labels: (B, L) label of every frame, -1 = unknown; L may differ from T by
                the rounding of a crop.

        Raises:
            ValueError: If there are no labels, or they are of another frame rate.
        """
        if labels is None:
            raise ValueError(
                "loss: masked_prediction needs labels: give "
                "--train_data_path_and_name_and_type FILE,text,text_int, and the same "
                "for --valid_..., with one label per frame"
            )
        states = [state.float() for state in hidden_states]
        shape = states[-1].shape[:2]
        views = shape[0] // len(labels)
        targets = fit_labels(labels, shape[1], "text").repeat(views, 1)
        is_masked = torch.zeros(shape, dtype=torch.bool, device=masked.device)
        is_masked.view(-1)[masked] = True
        is_visible = ~is_masked
        if padding_mask is not None:
            is_visible &= ~padding_mask.repeat(views, 1)
        masks = {"mask_m": is_masked, "mask_u": is_visible}
        with full_precision(masked.device):
            loss, stats = self.hubert(states, text=targets, mask_info=masks)
        last = max(key for key in stats if key.startswith("hubert_acc_m_"))
        return loss, {"accuracy": loss.new_tensor(stats[last])}
