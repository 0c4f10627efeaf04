"""Scaled dot-product attention, with a fast gradient in bfloat16 on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Frames; for more of them the gradient of PyTorch's kernel is as fast.
LONGEST = 512


def attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float = 0.0
) -> Tensor:
    """Attend by PyTorch's fused kernel.

    Its gradient multiplies one head of one utterance at a time, and in bfloat16 on a
    CPU each product of oneDNN has a cost of its own: for short utterances most of a
    training step. There the gradient is that of the same attention written with
    batched products.

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
        *inputs, bias = ctx.saved_tensors
        shape, scale = inputs[0].shape, inputs[0].shape[-1] ** -0.5
        q, k, v, output, gradient = (x.flatten(0, 1) for x in (*inputs, gradient))
        q = q * scale
        logits = (q @ k.transpose(1, 2)).unflatten(0, shape[:2])
        if bias is not None:
            logits += _added(bias, logits.dtype)
        weights = logits.softmax(-1).flatten(0, 1)
        back = gradient @ v.transpose(1, 2)
        back.sub_((gradient * output).sum(-1, keepdim=True)).mul_(weights)
        grads = (back @ k).mul_(scale), back.mT @ q, weights.mT @ gradient
        return *(x.view(shape) for x in grads), None


def _added(bias: Tensor, dtype: torch.dtype) -> Tensor:
    """Write a bias as numbers to add."""
    if bias.dtype != torch.bool:
        return bias
    return torch.zeros_like(bias, dtype=dtype).masked_fill_(~bias, float("-inf"))
