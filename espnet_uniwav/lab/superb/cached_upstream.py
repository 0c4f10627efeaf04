"""Caches the states of a frozen upstream per utterance, across epochs and runs.

S3PRL runs the upstream at every step. On a CPU that takes most of the time, and the
result is the same: a frozen upstream is in evaluation mode, and its states of a wav do
not depend on the other wavs of the batch.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence


class StateCache:
    """(L, T, D) states of wavs; what does not fit into ``max_bytes`` is not kept."""

    def __init__(self, max_bytes: float):
        self.max_bytes = max_bytes
        self.bytes, self.states = 0, {}

    def put(self, key: bytes, states: Tensor) -> None:
        """Keep states if there is room."""
        if self.bytes + states.nbytes <= self.max_bytes:
            self.states[key] = states
            self.bytes += states.nbytes


class CachedUpstream(nn.Module):
    """An upstream that runs once for each wav.

    Args:
        upstream: Returns `hidden_states`, a list of L tensors (B, T, D).
        cache: Of this upstream.
    """

    def __init__(self, upstream: nn.Module, cache: StateCache):
        super().__init__()
        self.upstream = upstream
        self.cache = cache

    def get_downsample_rates(self, key: str) -> int:
        return self.upstream.get_downsample_rates(key)

    def forward(self, wavs: list[Tensor]) -> dict:
        """(B, T, D) states, zeros after the end of each wav.

        Args:
            wavs: B tensors (S_i,).
        """
        states = [self._of(wav).transpose(0, 1) for wav in wavs]
        padded = pad_sequence(states, batch_first=True)
        layers = list(padded.unbind(dim=2))
        return {"hidden_states": layers, "last_hidden_state": layers[-1]}

    def _of(self, wav: Tensor) -> Tensor:
        """(L, T, D)."""
        key = hashlib.blake2b(wav.cpu().numpy().tobytes()).digest()
        if key not in self.cache.states:
            found = self.upstream([wav])["hidden_states"]
            states = torch.cat([layer.detach() for layer in found])
            self.cache.put(key, states)
            return states
        return self.cache.states[key]
