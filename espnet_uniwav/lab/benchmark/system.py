"""A model, its optimiser and one training step: what is measured."""

from __future__ import annotations

import torch

from espnet_uniwav.lab.benchmark.setting import Setting, make_audio

AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


class System:
    """A model, its optimiser and one training step."""

    countable = True  # by torch's counter, which knows no FFT
    num_views = 1  # of the audio in a step; speed is given per view

    def __init__(self, setting: Setting):
        self.set_audio(setting)
        self.model = self.build().to(setting.device).train()
        weights = [p for p in self.model.parameters() if p.requires_grad]
        self.num_parameters = sum(p.numel() for p in weights)
        self.optimizer = None
        if weights:
            self.optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)
        scaled = setting.dtype == "fp16"
        self.scaler = torch.amp.GradScaler(setting.device, enabled=scaled)

    def set_audio(self, setting: Setting) -> None:
        """Make the audio of the next steps, as a setting says."""
        self.setting = setting
        self.speech = make_audio(setting).to(setting.device)
        self.lengths = torch.full((setting.batch,), setting.num_samples)
        self.lengths = self.lengths.to(setting.device)

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
        """Take one training step: forward, backward, AdamW; fp16 scales the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            self.speech.device.type,
            dtype=AUTOCAST.get(self.setting.dtype),
            enabled=self.setting.dtype in AUTOCAST,
        ):
            loss = self.loss(**batch)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def random_labels(self) -> torch.Tensor:
        shape = (self.setting.batch, self.setting.num_conv_frames)
        return torch.randint(
            self.setting.num_classes, shape, device=self.setting.device
        )


def build_espnet_model(**conf) -> torch.nn.Module:
    """Build a model through the stock SSL task, as ``espnet2.bin.ssl_train`` does."""
    from espnet2.tasks.ssl import SSLTask

    args = SSLTask.get_parser().parse_args([])
    for name, value in conf.items():
        setattr(args, name, value)
    return SSLTask.build_model(args)
