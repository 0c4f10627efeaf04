"""Configurations of the model families of fairseq2, and their four sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

# Sizes of the recipes in egs2, of which `large` is the paper's.
TINY = dict(num_layers=6, embed_dim=256, num_heads=4, ffn_dim=1024)
SMALL = dict(num_layers=6, embed_dim=384, num_heads=6, ffn_dim=1024)
BASE = dict(num_layers=12, embed_dim=768, num_heads=12, ffn_dim=3072)
LARGE = dict(num_layers=24, embed_dim=1024, num_heads=16, ffn_dim=4096)
# What differs from the paper in models for two hours of speech and a CPU.
LITTLE = dict(position="conv_rotary", dropout=0.0)
LITTLE_DECODER = dict(num_layers=4, num_heads=4, position="rotary")
LITTLE_TRAINING = dict(
    dinosr=dict(
        num_codebooks=4,
        codebook_init="data",
        ema_decay=0.9995,
        ema_end_decay=0.9999,
        anneal_steps=3000,
        unmasked_weight=1.0,
    ),
    span_mask=dict(mask_prob=0.6, mask_length=8),
    perturb=dict(warp=0.15, filter_std=0.2),
)
DROPOUT = dict(dropout=0.1, layer_drop=0.05)

# name -> encoder and decoder
MODELS = {
    "tiny": ({**TINY, **LITTLE}, {**LITTLE_DECODER, "ffn_dim": 1024}),
    "small": (
        {**SMALL, **LITTLE},
        {**LITTLE_DECODER, "embed_dim": 256, "ffn_dim": 768},
    ),
    "base": ({**BASE, **DROPOUT}, dict(num_layers=6, num_heads=12, ffn_dim=3072)),
    "large": ({**LARGE, **DROPOUT}, dict(num_layers=12, num_heads=16, ffn_dim=4096)),
}
# name -> objectives and masks of pre-training
TRAININGS = {
    "tiny": LITTLE_TRAINING,
    "small": LITTLE_TRAINING,
    "base": dict(dinosr=dict(num_codebooks=8)),
    "large": dict(dinosr=dict(num_codebooks=16)),
}


@dataclass(kw_only=True)
class UniWavConfig:
    """The ``model`` part of a checkpoint's config.yaml, see ``UniWav.from_config``.

    Attributes:
        features: Name and arguments of the feature space.
        encoder: Arguments of ``Encoder``.
        decoder: Arguments of ``FlowDecoder``; None without a decoder.
        kept_frames: See ``FlowMatching``.
    """

    features: dict[str, object] = field(
        default_factory=lambda: {"name": "log_mel", "sample_rate": 16000}
    )
    encoder: dict[str, object] = field(default_factory=dict)
    decoder: dict[str, object] | None = field(default_factory=dict)
    kept_frames: str = "data"


@dataclass(kw_only=True)
class PretrainingConfig(UniWavConfig):
    """A model with its objectives.

    Attributes:
        dinosr: Arguments of ``DinoSR``; None leaves this loss out.
        span_mask: Arguments of ``SpanMask``.
        perturb: Arguments of ``Perturb``; empty: no perturbation.
        drop_prob, crop: See ``FlowMatching``, which is left out if ``decoder`` is None.
        flow_weight: Factor of the flow matching loss; that of DinoSR is 1.
        objectives: Name -> arguments of further ones of ``OBJECTIVES``.
        num_views: Masked views of every utterance for one pass of the teacher.
        bf16: Compute in bfloat16 where that is safe, see ``nn.precision``.
    """

    dinosr: dict[str, object] | None = field(default_factory=dict)
    span_mask: dict[str, object] = field(default_factory=dict)
    perturb: dict[str, object] = field(default_factory=dict)
    drop_prob: float = 0.1
    crop: float = 1.0
    flow_weight: float = 0.25
    objectives: dict[str, object] = field(default_factory=dict)
    num_views: int = 1
    bf16: bool = False


def uniwav_config(size: str) -> UniWavConfig:
    """Configuration of one of ``MODELS``."""
    encoder, decoder = MODELS[size]
    return UniWavConfig(encoder=dict(encoder), decoder=dict(decoder))


def pretraining_config(size: str) -> PretrainingConfig:
    """Configuration of the pre-training of one of ``MODELS``."""
    training = {part: dict(conf) for part, conf in TRAININGS[size].items()}
    return PretrainingConfig(**vars(uniwav_config(size)), **training)
