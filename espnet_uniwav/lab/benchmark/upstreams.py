"""Extraction of all hidden states by upstreams of S3PRL, random weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.lab.benchmark.system import Setting, System
from espnet_uniwav.plugin import register_s3prl

NUM_UTTERANCES, SHORTEST = 16, 2.0


class UniwavUpstream(System):
    """``uniwav_local``, called as ``run_downstream`` calls a frozen upstream.

    A step reads 16 utterances of noise, whose lengths are uniform from two seconds to
    those of the setting, in batches, without padding and without gradients.
    """

    countable = False

    def __init__(self, setting: Setting, **options):
        super().__init__(setting, **options)
        self.model.eval()

    def set_audio(self, setting: Setting) -> None:
        self.setting = setting
        generator = torch.Generator().manual_seed(setting.seed)
        share = torch.rand(NUM_UTTERANCES, generator=generator)
        seconds = SHORTEST + (setting.seconds - SHORTEST) * share
        lengths = (SAMPLE_RATE * seconds).long().tolist()
        wavs = [0.1 * torch.randn(n, generator=generator) for n in lengths]
        self.wavs = [wav.to(setting.device) for wav in wavs]
        self.speech = torch.cat(self.wavs)

    @property
    def audio_seconds(self) -> float:
        return len(self.speech) / SAMPLE_RATE

    @torch.no_grad()
    def step(self, batch: dict) -> torch.Tensor:
        size = self.setting.batch
        for start in range(0, len(self.wavs), size):
            states = self.model(self.wavs[start : start + size])["hidden_states"]
        return states[-1]

    def build(self):
        register_s3prl()
        with tempfile.TemporaryDirectory() as folder:
            return self.load(Path(folder) / "checkpoint")

    def load(self, path: Path) -> torch.nn.Module:
        """Save an untrained checkpoint and load it through the hub."""
        from s3prl import hub

        encoder = dict(
            num_layers=self.setting.num_layers,
            embed_dim=self.setting.embed_dim,
            num_heads=self.setting.num_heads,
            ffn_dim=self.setting.ffn_dim,
            position=self.options["position"],
        )
        config = {"features": {"name": "log_mel"}, "encoder": encoder}
        save_checkpoint(UniWav.from_config(config), config, path)
        return hub.uniwav_local(ckpt=path)


class HubertUpstream(UniwavUpstream):
    """``hubert_local``, the architecture of ``hubert_base``."""

    def load(self, path: Path) -> torch.nn.Module:
        from s3prl import hub
        from s3prl.upstream.hubert import hubert_model

        task = dict(label_rate=50.0, normalize=False)
        model = dict(
            label_rate=50.0,
            encoder_layers=self.setting.num_layers,
            encoder_embed_dim=self.setting.embed_dim,
            encoder_ffn_embed_dim=self.setting.ffn_dim,
            encoder_attention_heads=self.setting.num_heads,
            final_dim=256,
        )
        symbols = [[str(number) for number in range(500)]]
        weights = hubert_model.HubertModel(
            hubert_model.HubertConfig(**model),
            hubert_model.HubertPretrainingConfig(**task),
            symbols,
        ).state_dict()
        content = dict(task_cfg=task, model_cfg=model, model_weight=weights)
        torch.save({**content, "dictionaries_symbols": symbols}, path)
        return hub.hubert_local(ckpt=str(path))
