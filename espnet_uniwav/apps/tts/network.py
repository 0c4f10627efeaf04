"""The network of a synthesiser: what it is told, and how it learns to speak."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typeguard import typechecked

from espnet_uniwav.apps.phones.word_ends import is_marked, phone_numbers
from espnet_uniwav.apps.tts.aligner import PromptAligner
from espnet_uniwav.apps.tts.cloze import Batch, Cloze
from espnet_uniwav.apps.tts.durations import DurationPredictor, token_of_frame
from espnet_uniwav.apps.tts.text import TextCondition, TextEncoder
from espnet_uniwav.core.flow.gap import draw_gap
from espnet_uniwav.core.flow.matching import flow_matching_loss
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.masks import drop_if_unpadded, lengths_to_padding_mask


class SynthesizerNetwork(nn.Module):
    """Flow matching given text, the frames around a gap and their durations.

    The condition of the decoder is z plus the text states, spread over the frames by
    the durations (paper, section 4). The encoder does not see the gap. The paper uses
    ground-truth durations; here they can also be predicted.

    Args:
        uniwav: With a decoder; pre-trained or not.
        num_tokens: Size of the token list.
        token_list: Names of the tokens, if some of them are phones marked as ends of
            words (``alignment.word_ends``); None: there are no such marks.
        text_layers: Layers of the text encoder.
        duration_layers: Layers of the duration predictor.
        duration_dim: Its width.
        num_heads: Attention heads of both.
        dropout: Of both.
        min_share: The gap is between this share of an utterance and all of it.
        drop_prob: Share of utterances without any condition, for guidance.
        silent_prob: Share of utterances with text in the gap only, so that a prompt
            needs no text.
        duration_weight: Factor of the loss of the durations.
        alignment_weight: Factor of the loss of the aligner.
        durations_only: Train the duration predictor alone, which hears no speech.
    """

    @typechecked
    def __init__(
        self,
        uniwav: UniWav,
        num_tokens: int,
        token_list: Sequence[str] | None = None,
        text_layers: int = 2,
        duration_layers: int = 4,
        duration_dim: int = 256,
        num_heads: int = 4,
        dropout: float = 0.1,
        min_share: float = 0.5,
        drop_prob: float = 0.1,
        silent_prob: float = 0.2,
        duration_weight: float = 0.1,
        alignment_weight: float = 0.1,
        durations_only: bool | None = False,
    ):
        super().__init__()
        width = uniwav.encoder.embed_dim
        self.uniwav = uniwav
        num_phones = self._number(token_list or [str(i) for i in range(num_tokens)])
        self.text_encoder = TextEncoder(
            num_phones, width, text_layers, num_heads, dropout
        )
        self.text_condition = TextCondition(width)
        self.duration_predictor = DurationPredictor(
            num_phones, duration_dim, duration_layers, num_heads, dropout
        )
        self.aligner = PromptAligner(uniwav.encoder.num_layers + 1, width, num_phones)
        self.register_buffer("known_tokens", torch.zeros(num_phones, dtype=torch.bool))
        self.min_share = min_share
        self.drop_prob = drop_prob
        self.silent_prob = silent_prob
        self.duration_weight = duration_weight
        self.alignment_weight = alignment_weight
        self.durations_only = durations_only
        if durations_only:
            self.requires_grad_(False)
            self.duration_predictor.requires_grad_(True)

    def _number(self, token_list: Sequence[str]) -> int:
        """Note the phone of every token, and whether it ends a word; counts phones."""
        phones = torch.tensor(phone_numbers(token_list))
        ends = torch.tensor([is_marked(token) for token in token_list])
        self.register_buffer("phone_of", phones, persistent=False)
        self.register_buffer("is_end", ends, persistent=False)
        return int(phones.max()) + 1

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Returns:
            loss: Scalar in fp32.
            stats: Detached scalars.
        """
        cloze, x = self.pose(batch), batch.x
        if self.training:
            length = batch.tokens.shape[1]
            told = ~lengths_to_padding_mask(batch.token_lengths, length)
            self._learn(cloze.phones, told)
        duration = self.duration_predictor.loss(
            cloze.phones, cloze.ends, cloze.durations, cloze.known, cloze.text_padding
        )
        if self.durations_only:
            return duration, {"loss_duration": duration.detach()}
        hidden_states, z = self.encode(cloze, x)
        spoken = cloze.phones.gather(1, token_of_frame(cloze.durations, x.shape[1]))
        losses = {
            "flow": flow_matching_loss(
                self.uniwav.decoder,
                x,
                z,
                cloze.padding_mask,
                cloze.gap,
                self.drop_prob,
                self.uniwav.kept_frames,
            ),
            "duration": duration,
            "alignment": self.aligner.loss(hidden_states, spoken, cloze.seen),
        }
        loss = losses["flow"] + self.duration_weight * losses["duration"]
        loss = loss + self.alignment_weight * losses["alignment"]
        return loss, {f"loss_{name}": v.detach() for name, v in losses.items()}

    def pose(self, batch: Batch) -> Cloze:
        """Draw the gaps of a batch."""
        tokens, token_lengths, durations, x, lengths = batch
        length = x.shape[1]
        valid = ~lengths_to_padding_mask(lengths, length)
        padding_mask = drop_if_unpadded(~valid)
        text_padding = lengths_to_padding_mask(token_lengths, tokens.shape[1])
        durations = durations.masked_fill(text_padding, 0)
        text_padding = drop_if_unpadded(text_padding)
        gap = draw_gap(lengths, length, self.min_share)
        seen = valid & ~gap
        silent = torch.rand(len(x), 1, device=x.device) < self.silent_prob
        masks = gap, seen, silent, padding_mask, text_padding
        return Cloze(*masks, *self._spell(tokens.clamp(min=0)), durations)

    def encode(self, cloze: Cloze, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Encode what is known of a batch (B, T, F).

        Returns:
            num_layers + 1 states (B, T, D) of the encoder, which does not see the gap,
            and the condition (B, T, D) of the decoder.
        """
        states = self.text_encoder(cloze.phones, cloze.text_padding)
        hidden_states = self.uniwav.hidden_states(x, cloze.padding_mask, cloze.gap)
        z = self.uniwav.weighted_sum(hidden_states)
        silent = cloze.seen & cloze.silent
        z = z + self.text_condition(states, cloze.durations, silent, x.shape[1])
        return hidden_states, z

    def _spell(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens to phones, and where words end, all of one shape."""
        return self.phone_of[tokens], self.is_end[tokens]

    def _learn(self, phones: Tensor, told: Tensor) -> None:
        """Note the phones (B, L) of a batch; ``told``: True = no padding."""
        counts = torch.zeros(len(self.known_tokens), device=phones.device)
        counts.scatter_add_(0, phones.flatten(), told.flatten().float())
        self.known_tokens |= counts > 0
