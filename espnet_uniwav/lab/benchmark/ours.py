"""Our training steps: the joint one, its options, and features alone."""

from __future__ import annotations

import torch

from espnet_uniwav.core.nn import attention
from espnet_uniwav.lab.benchmark.system import Setting, System, build_espnet_model
from espnet_uniwav.plugin import register

UNIWAV_PARTS = ["frontend", "frontend_conf", "normalize", "preencoder", "encoder"]
UNIWAV_PARTS += ["encoder_conf", "model", "loss", "util"]


class Uniwav(System):
    """Our joint step, wav to updated weights, built by the stock SSL task.

    The recipe's conf, but for the size: student, teacher, codebooks on two thirds of
    the layers, a decoder of half the depth. The teacher follows ``optimizer.step()``.

    The options are ``num_views``; ``visible_only``: the encoder reads visible frames
    only, half of them; ``fast``: the decoder reads half of the frames, and the teacher
    computes in bfloat16; ``fused``: the gradient of attention is PyTorch's in its whole
    process; and others of ``model_conf``.
    """

    def build(self):
        register()
        model_conf = {"num_views": 1, **self.options}
        visible, fast, fused = (
            model_conf.pop(k, False) for k in ("visible_only", "fast", "fused")
        )
        if fused:
            attention.LONGEST = 0
        self.num_views = model_conf["num_views"]
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
        if visible:
            conf["encoder_conf"]["visible_only"] = True
            masks = [util for util in conf["util"] if util["name"] == "span_mask"]
            masks[0]["conf"] = dict(mask_prob=0.5, mask_length=10, exact=True)
        losses["dinosr"]["teacher_bf16"] = fast
        losses["flow_matching"]["crop"] = 0.5 if fast else 1.0
        return build_espnet_model(token_list=[], **conf, model_conf=model_conf)

    def loss(self):
        return self.model(self.speech, self.lengths)[0]


class UniwavFromFeatures(Uniwav):
    """The same step on features extracted in advance."""

    def __init__(self, setting: Setting, **options):
        super().__init__(setting, **options)
        with torch.no_grad():
            x, lengths = self.model.frontend(self.speech, self.lengths)
        self.model.frontend.forward = lambda *speech: (x.clone(), lengths)


class UniwavFeatures(System):
    """Feature extraction alone: its step has no backward and no update."""

    countable = False

    def build(self):
        register()
        from espnet2.tasks.ssl import frontend_choices

        conf = self.setting.recipe()["frontend_conf"]
        return frontend_choices.get_class("uniwav")(**conf)

    @torch.no_grad()
    def step(self, batch: dict) -> torch.Tensor:
        return self.model(self.speech, self.lengths)[0]
