"""Training steps of other libraries."""

from __future__ import annotations

import importlib

import torch

from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.lab.benchmark.system import (
    CONV_LAYERS,
    System,
    build_espnet_model,
)


class TorchaudioHubert(System):
    """``torchaudio.models.hubert_pretrain_model``, the settings of HuBERT base.

    No lengths are given (so no attention mask is made), logits are computed at masked
    frames only, and the loss is the one of torchaudio's HuBERT recipe.
    """

    def build(self):
        from torchaudio.models import hubert_pretrain_model

        return hubert_pretrain_model(
            extractor_mode="group_norm",
            extractor_conv_layer_config=CONV_LAYERS,
            extractor_conv_bias=False,
            encoder_embed_dim=self.setting.embed_dim,
            encoder_projection_dropout=0.0,
            encoder_pos_conv_kernel=128,
            encoder_pos_conv_groups=16,
            encoder_num_layers=self.setting.num_layers,
            encoder_num_heads=self.setting.num_heads,
            encoder_attention_dropout=0.0,
            encoder_ff_interm_features=self.setting.ffn_dim,
            encoder_ff_interm_dropout=0.0,
            encoder_dropout=0.0,
            encoder_layer_norm_first=False,
            encoder_layer_drop=0.0,
            mask_prob=0.8,
            mask_selection="static",
            mask_other=0.0,
            mask_length=10,
            no_mask_overlap=False,
            mask_min_space=1,
            mask_channel_prob=0.0,
            mask_channel_selection="static",
            mask_channel_other=0.0,
            mask_channel_length=10,
            no_mask_channel_overlap=False,
            mask_channel_min_space=1,
            skip_masked=False,
            skip_nomask=True,
            num_classes=self.setting.num_classes,
            final_dim=256,
            feature_grad_mult=0.1,
        )

    def draw(self):
        return {"labels": self.random_labels()}

    def loss(self, labels):
        logits, _, feature_penalty = self.model(self.speech, labels)
        target = logits.new_zeros(len(logits), dtype=torch.long)
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
        return loss + 10.0 * feature_penalty * len(logits)


class EspnetHubert(System):
    """ESPnet's own HuBERT route, as its LibriSpeech recipe configures it."""

    def build(self):
        size = self.setting.embed_dim
        return build_espnet_model(
            token_list=[str(k) for k in range(self.setting.num_classes)],
            frontend="wav2vec_cnn",
            frontend_conf=dict(norm_mode="group_norm", conv_mode="standard", bias=True),
            normalize=None,
            preencoder="linear",
            preencoder_conf=dict(output_size=size),
            encoder="transformer",
            encoder_conf=self.encoder_conf(),
            loss=[self.loss_conf()],
            util=[dict(name="mask", conf=dict(mask_prob=0.8, mask_length=10))],
        )

    def encoder_conf(self) -> dict:
        return dict(
            output_size=self.setting.embed_dim,
            attention_heads=self.setting.num_heads,
            linear_units=self.setting.ffn_dim,
            num_blocks=self.setting.num_layers,
            dropout_rate=0.0,
            positional_dropout_rate=0.0,
            attention_dropout_rate=0.0,
            input_layer="wav2vec",
            pos_enc_layer_type="conv",
            normalize_before=False,
        )

    def loss_conf(self) -> dict:
        conf = dict(num_classes=self.setting.num_classes, final_dim=256)
        return dict(name="hubert", conf=conf)

    def draw(self):
        labels = self.random_labels()
        return {"text": labels, "text_lengths": self.lengths * 0 + labels.shape[1]}

    def loss(self, **batch):
        return self.model(self.speech, self.lengths, **batch)[0]


class HuggingFaceWav2Vec2(System):
    """Hugging Face's ``Wav2Vec2ForPreTraining`` with fused attention.

    Masks and negatives come from the library's own functions, outside the clock, as its
    pre-training script makes them in the data collator.
    """

    def build(self):
        from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

        config = Wav2Vec2Config(
            hidden_size=self.setting.embed_dim,
            num_hidden_layers=self.setting.num_layers,
            num_attention_heads=self.setting.num_heads,
            intermediate_size=self.setting.ffn_dim,
            hidden_dropout=0.0,
            activation_dropout=0.0,
            attention_dropout=0.0,
            feat_proj_dropout=0.0,
            feat_quantizer_dropout=0.0,
            final_dropout=0.0,
            layerdrop=0.0,
            attn_implementation="sdpa",
        )
        return Wav2Vec2ForPreTraining(config)

    def draw(self):
        from transformers.models.wav2vec2 import modeling_wav2vec2 as wav2vec2

        shape = (self.setting.batch, self.setting.num_conv_frames)
        mask = wav2vec2._compute_mask_indices(
            shape, mask_prob=0.65, mask_length=10, min_masks=2
        )
        negatives = wav2vec2._sample_negative_indices(
            shape, self.model.config.num_negatives, mask
        )
        device = self.setting.device
        return {
            "mask_time_indices": torch.from_numpy(mask).to(device),
            "sampled_negative_indices": torch.from_numpy(negatives).to(device),
        }

    def loss(self, **batch):
        return self.model(self.speech, **batch).loss


class SpidrDinoSR(System):
    """DinoSR of the package ``spidr`` (Poli et al. 2025), eager, without dropout.

    It reads samples, and its teacher follows every step. Half of the frames are masked,
    outside the clock as in its data loader, which needs further packages.
    """

    countable = False  # the counter fails at its teacher
    config, model_class = "DinoSRConfig", "dinosr.DinoSR"

    def build(self):
        configs = importlib.import_module("spidr.config")
        self.masks = SpanMask(mask_prob=0.5, mask_length=10, exact=True)
        config = getattr(configs, self.config)(
            encoder_embed_dim=self.setting.embed_dim,
            encoder_num_layers=self.setting.num_layers,
            encoder_num_heads=self.setting.num_heads,
            encoder_ff_interm_features=self.setting.ffn_dim,
            encoder_attention_dropout=0.0,
            encoder_dropout=0.0,
            encoder_layer_drop=0.0,
            num_codebooks=round(self.setting.num_layers * 2 / 3),
        )
        self.number = 0
        module, name = self.model_class.split(".")
        return getattr(importlib.import_module(f"spidr.models.{module}"), name)(config)

    def draw(self):
        length = self.setting.num_conv_frames
        mask = self.masks(torch.full((self.setting.batch,), length), length)
        frames = mask.nonzero()[:, 1].view(len(mask), -1)
        return {"mask_indices": frames.to(self.setting.device)}

    def loss(self, mask_indices):
        losses, _ = self.model(self.speech, mask_indices=mask_indices)
        return losses.sum() / mask_indices.numel()

    def step(self, batch):
        loss = super().step(batch)
        self.number += 1
        self.model.update_ema(self.number)
        return loss


class SpidrSpidR(SpidrDinoSR):
    """SpidR itself: a head for every layer of the student."""

    config, model_class = "SpidRConfig", "spidr.SpidR"
