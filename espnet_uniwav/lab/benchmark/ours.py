"""Our training steps: the joint one, its options, and features alone."""

from __future__ import annotations

import torch

from espnet_uniwav.lab.benchmark.setting import Setting
from espnet_uniwav.lab.benchmark.system import System, build_espnet_model

UNIWAV_PARTS = ["frontend", "frontend_conf", "normalize", "preencoder", "encoder"]
UNIWAV_PARTS += ["encoder_conf", "model", "loss", "util"]


def register_uniwav() -> None:
    """Make our names known to ESPnet."""
    from espnet_uniwav.plugin import register

    register()


class Uniwav(System):
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


def make_fast(conf: dict) -> None:
    """Let the decoder read half of the frames, and the teacher compute in bfloat16."""
    losses = {loss["name"]: loss["conf"] for loss in conf["loss"]}
    losses["dinosr"]["teacher_bf16"] = True
    losses["flow_matching"]["crop"] = 0.5


class UniwavFast(Uniwav):
    """The joint step with ``teacher_bf16: true`` and ``crop: 0.5``."""

    def change(self, conf):
        make_fast(conf)


class UniwavVisibleFast(UniwavVisible):
    """The same of an encoder that reads visible frames only."""

    def change(self, conf):
        super().change(conf)
        make_fast(conf)


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


class UniwavCompile(Uniwav):
    """The joint step with ``model_conf: {compile: true}``."""

    model_conf = {"compile": True}


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
