"""Alignment of a prompt with its tokens, from the encoder's states."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espnet_uniwav.core.nn.weighted_sum import WeightedSum


class PromptAligner(nn.Module):
    """A frame classifier, and the best path of a token sequence through its scores.

    Args:
        num_states: Hidden states of the encoder.
        embed_dim: Their width D.
        num_tokens: Size V of the token list.
    """

    def __init__(self, num_states: int, embed_dim: int, num_tokens: int):
        super().__init__()
        self.weighted_sum = WeightedSum(num_states)
        self.output_projection = nn.Linear(embed_dim, num_tokens)

    def forward(self, hidden_states: list[Tensor]) -> Tensor:
        """States of the encoder to (B, T, V) log probabilities in fp32."""
        x = self.output_projection(self.weighted_sum(hidden_states))
        return x.float().log_softmax(-1)

    def loss(self, hidden_states: list[Tensor], tokens: Tensor, seen: Tensor) -> Tensor:
        """Cross-entropy.

        Args:
            hidden_states: States of the encoder.
            tokens: (B, T) the token of every frame.
            seen: (B, T), True = the encoder saw this frame.
        """
        log_probs = self(hidden_states)
        errors = F.nll_loss(log_probs.transpose(1, 2), tokens, reduction="none")
        return (errors * seen).sum() / seen.sum().clamp(min=1)

    @torch.no_grad()
    def align(
        self,
        hidden_states: list[Tensor],
        tokens: Tensor,
        durations: Tensor | None = None,
    ) -> tuple[Tensor, float]:
        """Durations of the tokens of one utterance, which lasts T frames.

        Args:
            hidden_states: States (1, T, D).
            tokens: (L,).
            durations: (L,) frames, if they are known.

        Returns:
            (L,) frames, the known ones or at least one each, which sum to T; and the
            mismatch: mean log probability of the best token per frame minus that of the
            path. It is 0 if text and speech agree, and several nats if they do not.

        Raises:
            ValueError: If there are more tokens than frames.
        """
        log_probs = self(hidden_states)[0]
        if durations is None:
            # On the CPU: the search reads every frame, and a GPU would wait each time.
            durations = best_path(log_probs[:, tokens].cpu()).to(tokens.device)
        path = tokens.repeat_interleave(durations)
        score = log_probs.gather(1, path[:, None]).squeeze(1)
        return durations, float((log_probs.amax(1) - score).mean())


def best_path(scores: Tensor) -> Tensor:
    """Durations of the monotonic path of the highest score, token by token.

    Args:
        scores: (T, L) score of every token at every frame.

    Returns:
        (L,) frames, at least one each, which sum to T.

    Raises:
        ValueError: If L > T.
    """
    num_frames, num_tokens = scores.shape
    if num_tokens > num_frames:
        raise ValueError(
            f"{num_tokens} tokens do not fit into {num_frames} frames: the text does "
            "not belong to the speech"
        )
    never = torch.full_like(scores[:1, :1], -torch.inf).squeeze(0)
    total = torch.cat((scores[0, :1], never.expand(num_tokens - 1)))
    moved = []
    for frame in scores[1:]:
        before = torch.cat((never, total[:-1]))
        moved.append(before > total)
        total = torch.maximum(before, total) + frame
    durations = scores.new_zeros(num_tokens, dtype=torch.long)
    token = num_tokens - 1
    for moves in [m.tolist() for m in reversed(moved)]:
        durations[token] += 1
        token -= moves[token]
    durations[token] += 1
    return durations
