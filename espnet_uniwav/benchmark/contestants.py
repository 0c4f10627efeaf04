"""The contestants of ``steps``: one training step of each library.

All use the same audio, the same encoder size, fp32 (or bf16 autocast), fused AdamW, no
dropout and no layer drop. If a library offers a choice, the cheaper option is used.
"""

from __future__ import annotations

import torch

from espnet_uniwav.benchmark.setting import CONV_LAYERS, Setting, make_audio

UNIWAV_PARTS = ["frontend", "frontend_conf", "normalize", "preencoder", "encoder"]
UNIWAV_PARTS += ["encoder_conf", "model", "loss", "util"]


class Contestant:
    """A model, its optimiser and one training step."""

    countable = True  # by torch's counter, which knows no FFT
    num_views = 1  # of the audio in a step; speed is given per view

    def __init__(self, setting: Setting):
        self.setting = setting
        self.speech = make_audio(setting).to(setting.device)
        self.lengths = torch.full((setting.batch,), setting.num_samples)
        self.lengths = self.lengths.to(setting.device)
        self.model = self.build().to(setting.device).train()
        weights = [p for p in self.model.parameters() if p.requires_grad]
        self.num_parameters = sum(p.numel() for p in weights)
        self.optimizer = None
        if weights:
            self.optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)

    def build(self) -> torch.nn.Module:
        """Build the model with the library's own function."""
        raise NotImplementedError

    def draw(self) -> dict:
        """Draw what a data loader would return; this is not timed."""
        return {}

    def loss(self, **batch) -> torch.Tensor:
        """Compute the training loss (a scalar)."""
        raise NotImplementedError

    def step(self, batch: dict) -> torch.Tensor:
        """Take one training step: forward, backward, AdamW."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            self.speech.device.type,
            dtype=torch.bfloat16,
            enabled=self.setting.dtype == "bf16",
        ):
            loss = self.loss(**batch)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def random_labels(self) -> torch.Tensor:
        shape = (self.setting.batch, self.setting.num_conv_frames)
        return torch.randint(
            self.setting.num_classes, shape, device=self.setting.device
        )


class TorchaudioHubert(Contestant):
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


def build_espnet_model(**conf) -> torch.nn.Module:
    """Build a model through the stock SSL task, as ``espnet2.bin.ssl_train`` does."""
    from espnet2.tasks.ssl import SSLTask

    args = SSLTask.get_parser().parse_args([])
    for name, value in conf.items():
        setattr(args, name, value)
    return SSLTask.build_model(args)


class EspnetHubert(Contestant):
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


class HuggingFaceWav2Vec2(Contestant):
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


def register_uniwav() -> None:
    """Make our names known to ESPnet."""
    from espnet_uniwav.plugin import register

    register()


class Uniwav(Contestant):
    """Our joint step, wav to updated weights, built by the stock SSL task.

    The recipe's conf, but for the size: student, teacher, codebooks on two thirds of
    the layers, a decoder of half the depth. The teacher follows ``optimizer.step()``.
    """

    model_conf: dict = {}

    def build(self):
        register_uniwav()
        conf = {name: self.setting.recipe()[name] for name in UNIWAV_PARTS}
        size = dict(
            embed_dim=self.setting.embed_dim,
            num_heads=self.setting.num_heads,
            ffn_dim=self.setting.ffn_dim,
            dropout=0.0,
        )
        layers = self.setting.num_layers
        conf["encoder_conf"].update(size, num_layers=layers, layer_drop=0.0)
        losses = {loss["name"]: loss["conf"] for loss in conf["loss"]}
        losses["dinosr"].pop("num_codebooks", None)
        losses["flow_matching"]["decoder"].update(size, num_layers=max(1, layers // 2))
        model_conf = {**self.model_conf, "num_views": self.num_views}
        self.change(conf)
        return build_espnet_model(token_list=[], **conf, model_conf=model_conf)

    def change(self, conf: dict) -> None:
        """Change the configuration of the step."""

    def loss(self):
        return self.model(self.speech, self.lengths)[0]


class UniwavVisible(Uniwav):
    """The joint step of an encoder that reads visible frames only, half of them."""

    def change(self, conf):
        conf["encoder_conf"]["visible_only"] = True
        masks = [util for util in conf["util"] if util["name"] == "span_mask"]
        masks[0]["conf"] = dict(mask_prob=0.5, mask_length=10, exact=True)


class UniwavVisible2(UniwavVisible):
    """The same with two views of every utterance."""

    num_views = 2


class UniwavVisible4(UniwavVisible):
    """The same with four views of every utterance."""

    num_views = 4


class UniwavFromFeatures(Uniwav):
    """The same step on features extracted in advance."""

    def __init__(self, setting: Setting):
        super().__init__(setting)
        with torch.no_grad():
            x, lengths = self.model.frontend(self.speech, self.lengths)
        self.model.frontend.forward = lambda *speech: (x.clone(), lengths)


class UniwavCheckpointing(Uniwav):
    """The joint step with ``model_conf: {checkpointing: true}``."""

    model_conf = {"checkpointing": True}


class UniwavFeatures(Uniwav):
    """Feature extraction alone: its step has no backward and no update."""

    countable = False

    def build(self):
        register_uniwav()
        from espnet2.tasks.ssl import frontend_choices

        conf = self.setting.recipe()["frontend_conf"]
        return frontend_choices.get_class("uniwav")(**conf)

    @torch.no_grad()
    def step(self, batch: dict) -> torch.Tensor:
        return self.model(self.speech, self.lengths)[0]


CONTESTANTS = {
    "uniwav": Uniwav,
    "uniwav_visible": UniwavVisible,
    "uniwav_visible_2": UniwavVisible2,
    "uniwav_visible_4": UniwavVisible4,
    "uniwav_from_features": UniwavFromFeatures,
    "uniwav_features": UniwavFeatures,
    "uniwav_checkpointing": UniwavCheckpointing,
    "torchaudio": TorchaudioHubert,
    "espnet": EspnetHubert,
    "huggingface": HuggingFaceWav2Vec2,
}
