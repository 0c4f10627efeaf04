"""The objectives as ESPnet2 losses, and HuBERT's beside them."""

from __future__ import annotations

from types import ModuleType

import torch
from espnet2.ssl.loss.abs_loss import AbsSSLLoss
from espnet2.ssl.loss.hubert import HuBERTLoss
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.pretraining import OBJECTIVES
from espnet_uniwav.core.ssl.objective import MaskedBatch, Objective
from espnet_uniwav.integrations.espnet.labels import fit_labels
from espnet_uniwav.plugin import add_choice

UTILITIES = ["span_mask", "perturb"]


class UniWavLoss(AbsSSLLoss):
    """Arguments of one of ``OBJECTIVES``, from which the model makes ``objective``.

    Args:
        encoder_output_size: Given by ESPnet.
        **conf: Arguments of the objective.
    """

    name: str
    util_attributes = UTILITIES
    required_inputs: list[str] = []

    def __init__(self, encoder_output_size: int, **conf):
        super().__init__()
        self.conf = conf

    def forward(self, batch: MaskedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """As of the objective."""
        return self.objective(batch)


LOSSES = {
    name: type(f"{kind.__name__}Loss", (UniWavLoss,), {"name": name})
    for name, kind in OBJECTIVES.items()
}


def add_losses(task: ModuleType) -> None:
    """Add the objectives to the losses of ESPnet's SSL task."""
    for name, cls in LOSSES.items():
        add_choice(task.loss_choices, name, cls)


class MaskedPredictionLoss(Objective, AbsSSLLoss):
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
    util_attributes = UTILITIES
    required_inputs: list[str] = []

    @typechecked
    def __init__(
        self,
        encoder_output_size: int,
        weight: float = 1.0,
        num_classes: int = 100,
        final_dim: int = 256,
        **conf,
    ):
        super().__init__(weight)
        self.hubert = HuBERTLoss(encoder_output_size, num_classes, final_dim, **conf)

    def forward(self, batch: MaskedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Args:
            batch: With labels, -1 = unknown; their number L may differ from T by the
                rounding of a crop.

        Raises:
            ValueError: If there are no labels, or they are of another frame rate.
        """
        if batch.labels is None:
            raise ValueError(
                "loss: masked_prediction needs labels: give "
                "--train_data_path_and_name_and_type FILE,text,text_int, and the same "
                "for --valid_..., with one label per frame"
            )
        states = [state.float() for state in batch.hidden_states]
        shape, device = states[-1].shape[:2], batch.masked.device
        targets = fit_labels(batch.labels, shape[1], "text").repeat(batch.num_views, 1)
        is_masked = torch.zeros(shape, dtype=torch.bool, device=device)
        is_masked.view(-1)[batch.masked] = True
        is_visible = ~is_masked
        if (padding := batch.padding_of_views()) is not None:
            is_visible &= ~padding
        masks = {"mask_m": is_masked, "mask_u": is_visible}
        with full_precision(device):
            loss, stats = self.hubert(states, text=targets, mask_info=masks)
        last = max(key for key in stats if key.startswith("hubert_acc_m_"))
        return loss, {"accuracy": loss.new_tensor(stats[last])}
