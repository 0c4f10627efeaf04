"""The contestants of ``steps``: one training step of each library.

All use the same audio, the same encoder size, fp32 (or bf16 autocast), fused AdamW, no
dropout and no layer drop. If a library offers a choice, the cheaper option is used.
"""

from __future__ import annotations

from espnet_uniwav.lab.benchmark import libraries, ours

CONTESTANTS = {
    "uniwav": ours.Uniwav,
    "uniwav_visible": ours.UniwavVisible,
    "uniwav_visible_2": ours.UniwavVisible2,
    "uniwav_visible_4": ours.UniwavVisible4,
    "uniwav_from_features": ours.UniwavFromFeatures,
    "uniwav_features": ours.UniwavFeatures,
    "uniwav_checkpointing": ours.UniwavCheckpointing,
    "uniwav_compile": ours.UniwavCompile,
    "torchaudio": libraries.TorchaudioHubert,
    "espnet": libraries.EspnetHubert,
    "huggingface": libraries.HuggingFaceWav2Vec2,
}
