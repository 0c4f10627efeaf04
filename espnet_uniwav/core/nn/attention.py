"""Scaled dot-product attention, with a fast gradient in bfloat16 on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Frames; for more of them the gradient of PyTorch's kernel is as fast.
LONGEST = 512
CACHED = 2**19  # logits that are computed at once: 1 MiB, half of a usual L2 cache


def attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float = 0.0
) -> Tensor:
    """Attend by PyTorch's fused kernel.

    Its gradient multiplies one head of one utterance at a time, and in bfloat16 on a
    CPU each product of oneDNN has a cost of its own: for short utterances most of a
    training step. There the gradient is that of the same attention written with
    products of several heads, as many as stay in the cache.

    Args:
        q: (B, H, T, d) queries.
        k: (B, H, T, d) keys.
        v: (B, H, T, d) values.
        bias: Added to the logits, or bool (True = attend): broadcasts to
            (B, H, T, T). None attends everywhere. Has no gradient.
        dropout: Probability, on the weights.

    Returns:
        (B, H, T, d).
    """
    batched = (
        q.device.type == "cpu"
        and q.dtype == torch.bfloat16
        and q.shape[2] <= LONGEST
        and not dropout
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
    )
    if batched:
        return _BatchedGradient.apply(q, k, v, bias)
    return F.scaled_dot_product_attention(q, k, v, bias, dropout_p=dropout)


class _BatchedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, bias):
        output = F.scaled_dot_product_attention(q, k, v, bias)
        ctx.save_for_backward(q, k, v, output, bias)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        *tensors, bias = ctx.saved_tensors
        shape = gradient.shape
        batch, heads, length, _ = shape
        tensors = [x.flatten(0, 1) for x in (*tensors, gradient)]
        if bias is not None:
            bias = _added(bias, gradient.dtype).expand(batch, heads, -1, -1)
            tensors.append(bias.flatten(0, 1))
        parts = zip(*(x.split(max(1, CACHED // length**2)) for x in tensors))
        grads = zip(*(_gradients(*part) for part in parts))
        return *(torch.cat(part).view(shape) for part in grads), None


def _gradients(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    gradient: Tensor,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v, all (N, T, d); N heads have one batch dimension."""
    scale = q.shape[-1] ** -0.5
    q = q * scale
    logits = q @ k.mT
    if bias is not None:
        logits += bias
    weights = logits.softmax(-1)
    back = gradient @ v.mT
    back.sub_((gradient * output).sum(-1, keepdim=True)).mul_(weights)
    return (back @ k).mul_(scale), back.mT @ q, weights.mT @ gradient


def _added(bias: Tensor, dtype: torch.dtype) -> Tensor:
    """Write a bias as numbers to add."""
    if bias.dtype != torch.bool:
        return bias
    return torch.zeros_like(bias, dtype=dtype).masked_fill_(~bias, float("-inf"))
