"""Online clustering of the teacher's layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.core.nn.precision import full_precision
from espnet_uniwav.core.nn.processes import copy_from_first_process, sum_over_processes


def nearest(targets: Tensor, codewords: Tensor) -> Tensor:
    """Nearest codewords by Euclidean distance: (K, N, D), (K, V, D) to (K, N)."""
    # |x - c|^2 = |x|^2 - 2 x c + |c|^2, and |x|^2 is the same for every c.
    norms = codewords.square().sum(-1)[:, None]
    return torch.baddbmm(norms, targets, codewords.transpose(1, 2), alpha=-2.0).argmin(
        -1
    )


def count_codes(codes: Tensor, size: int, counted: Tensor | None = None) -> Tensor:
    """Count (K, N) codes to (K, V); of those, the ones that ``counted`` (N,) says."""
    number = torch.zeros(codes.shape[0], size, device=codes.device)
    ones = torch.ones((), device=codes.device) if counted is None else counted.float()
    return number.scatter_add_(1, codes, ones.expand_as(codes))


def perplexity(number: Tensor) -> Tensor:
    """exp(entropy) of each row of unnormalised (K, V) distributions."""
    share = number / number.sum(-1, keepdim=True).clamp(min=1e-9)
    return torch.special.entr(share).sum(-1).exp()


class OnlineCodebook(nn.Module):
    """K codebooks of V codewords, updated online (DinoSR, section 3.3).

    A codeword is the ratio of two moving averages, sum / count. ``assign`` collects
    the statistics of a batch over all processes; ``update``, once per optimiser
    step, applies them to the codewords that were used:

        sum   <- decay * sum   + (1 - decay) * sum of its targets
        count <- decay * count + (1 - decay) * number of its targets

    Everything is fp32 and saved, the collected statistics included, so that resuming
    gives the same results as a run without interruption.

    Args:
        num_codebooks: Codebooks K, one per target layer.
        codebook_size: Codewords V.
        dim: Width D of the targets.
        codebook_decay: decay above.
        codebook_init: ``random``: normalised noise, as DinoSR; ``data``: frames of the
            first batch, so that no codeword starts far from all targets.
    """

    def __init__(
        self,
        num_codebooks: int,
        codebook_size: int,
        dim: int,
        codebook_decay: float = 0.9,
        codebook_init: str = "random",
    ):
        super().__init__()
        if codebook_init not in ("random", "data"):
            raise ValueError(
                f"codebook_init must be 'random' or 'data', found {codebook_init!r}"
            )
        self.codebook_decay = codebook_decay
        self.needs_data = codebook_init == "data"
        start = torch.randn(num_codebooks, codebook_size, dim)
        start = start - start.mean(1, keepdim=True)
        start = start / start.std(1, unbiased=False, keepdim=True)
        self.register_buffer("sum", start)
        self.register_buffer("count", torch.ones(num_codebooks, codebook_size))
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.long))
        self.register_buffer("pending_sum", torch.zeros_like(start))
        self.register_buffer("pending_count", torch.zeros_like(self.count))

    @property
    def codewords(self) -> Tensor:
        """(K, V, D) centroids."""
        return self.sum / self.count[..., None]

    @torch.no_grad()
    def assign(self, targets: Tensor, collect: bool = False) -> Tensor:
        """Nearest codeword by Euclidean distance.

        Args:
            targets: (K, N, D) in fp32.
            collect: Keep the statistics for the next ``update``. Non-finite frames
                are left out.

        Returns:
            (K, N) code of each frame.
        """
        if collect and self.needs_data:
            self._start_from(targets)
        with full_precision(targets.device):
            codes = nearest(targets, self.codewords)
            if collect:
                self._collect(targets, codes)
        return codes

    def _start_from(self, targets: Tensor) -> None:
        """Initialise the codewords with random frames, unless already updated."""
        self.needs_data = False
        if self.num_updates > 0:
            return
        if targets.shape[1]:
            size = (self.count.shape[1],)
            frames = torch.randint(targets.shape[1], size, device=targets.device)
            self.sum.copy_(targets[:, frames].nan_to_num())
        copy_from_first_process(self.sum)

    def _collect(self, targets: Tensor, codes: Tensor) -> None:
        finite = targets.isfinite().all(-1)
        one_hot = torch.zeros_like(targets[:, :, :1]).repeat(1, 1, self.count.shape[1])
        one_hot.scatter_(-1, codes[..., None], finite[..., None].to(targets.dtype))
        total = one_hot.transpose(1, 2) @ targets.masked_fill(~finite[..., None], 0.0)
        number = one_hot.sum(1)
        sum_over_processes(total, number)
        self.pending_sum += total
        self.pending_count += number

    @torch.no_grad()
    def update(self) -> None:
        """Apply and clear the collected statistics."""
        used = self.pending_count > 0
        decay = self.codebook_decay
        count = torch.lerp(self.pending_count, self.count, decay)
        total = torch.lerp(self.pending_sum, self.sum, decay)
        self.count.copy_(torch.where(used, count, self.count))
        self.sum.copy_(torch.where(used[..., None], total, self.sum))
        self.pending_sum.zero_()
        self.pending_count.zero_()
        self.num_updates += 1
