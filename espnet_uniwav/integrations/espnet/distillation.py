"""ESPnet2 adapter for distillation: ``distil`` of ``tts: uniwav``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from torch import nn

from espnet_uniwav.apps.tts.distillation import Teacher
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.io.folder import load_strictly

# Settings of tts_conf that are no part of the network.
FREE = ("bf16", "vocoder", "seed", "speed")


@dataclass(frozen=True)
class Distillation:
    """A student that starts as a teacher, and needs fewer evaluations to sound alike.

    Attributes:
        teacher: Fine-tuned model: a folder of ``uniwav export``, or a model file.
        num_steps: Steps of the student, of one evaluation each.
        teacher_steps: Euler steps of the teacher, a multiple of ``num_steps``.
        guidance_scale: Of the teacher; the student has it built in.
        temperature: Of the noise of both.

    Raises:
        ValueError: If the teacher is missing or a number is of no use.
    """

    teacher: str | Path
    num_steps: int = 2
    teacher_steps: int = SPEAKING.num_steps
    guidance_scale: float = SPEAKING.guidance_scale
    temperature: float = SPEAKING.temperature

    def __post_init__(self):
        if not isinstance(self.teacher, (str, Path)) or not str(self.teacher):
            raise ValueError(
                f"distil: teacher: expected a fine-tuned model, found {self.teacher!r}"
            )
        try:
            teacher, student = self.sampling, self.student_sampling
        except ValueError as error:
            raise ValueError(f"distil: {error}") from None
        if teacher.num_steps % student.num_steps:
            raise ValueError(
                f"distil: teacher_steps: expected a multiple of num_steps "
                f"({self.num_steps}), found {self.teacher_steps}"
            )

    @classmethod
    def from_conf(cls, conf) -> Distillation:
        """Build from yaml, refusing what is no key with a ValueError."""
        known = [field.name for field in fields(cls)]
        if not isinstance(conf, dict) or not {"teacher"} <= set(conf) <= set(known):
            raise ValueError(
                f"distil: expected teacher, and of {known[1:]} what differs from the "
                f"default, found {conf!r}"
            )
        return cls(**conf)

    @property
    def sampling(self) -> Sampling:
        """How the teacher speaks."""
        return Sampling(
            self.teacher_steps, "euler", self.guidance_scale, self.temperature
        )

    @property
    def student_sampling(self) -> Sampling:
        """How the student speaks."""
        return Sampling(self.num_steps, "euler", 0.0, self.temperature)


def describe_student(conf: dict) -> dict:
    """Complete the ``tts_conf`` of a student by its sampling and its teacher's network.

    Args:
        conf: With ``distil``. If it has an architecture, the teacher is not read.

    Raises:
        FileNotFoundError: If the teacher is needed and missing.
        ValueError: If the teacher is no synthesiser, or a setting contradicts.
    """
    conf = {key: value for key, value in conf.items() if value is not None}
    distil = Distillation.from_conf(conf["distil"])
    settings = asdict(distil.student_sampling)
    if wrong := [k for k in settings if conf.get(k, settings[k]) != settings[k]]:
        raise ValueError(
            f"tts_conf: {', '.join(wrong)}: the student speaks with {settings}; set "
            "num_steps, guidance_scale and temperature under distil"
        )
    if "architecture" not in conf:
        conf = {**_network(distil, set(conf) - set(settings)), **conf}
    resolved = {**asdict(distil), "teacher": str(distil.teacher)}
    return {**conf, **settings, "distil": resolved}


def _network(distil: Distillation, own: set[str]) -> dict:
    """``tts_conf`` of the teacher without its training; refuses other ``own`` keys."""
    if wrong := sorted(own - {"distil", *FREE}):
        raise ValueError(
            f"tts_conf: a student starts as its teacher: leave out {', '.join(wrong)}"
        )
    found = read_checkpoint(distil.teacher)
    found.require(SynthesizerNetwork.kind)
    conf = dict(found.model)
    network = {k: v for k, v in conf.pop("synthesiser").items() if k != "token_list"}
    speaking = conf.pop("speaking")
    kept = {k: speaking[k] for k in ("speed", "voice_text") if k in speaking}
    files = {k: speaking[k] for k in ("voice", "vocoder") if speaking.get(k)}
    files = {key: str(found.file(name)) for key, name in files.items()}
    return {"architecture": conf, **network, **kept, **files}


def build_optimizers(build: Callable, args: argparse.Namespace, model: nn.Module):
    """Load the teacher of a student, then build as the task does.

    Inference does not come here, so it needs no teacher.
    """
    if getattr(getattr(model, "tts", None), "distil", None):
        _start(args, model)
    return build(args, model)


def _start(args: argparse.Namespace, model: nn.Module) -> None:
    """Make a student equal to its teacher, and let only the decoder learn."""
    distil, synthesizer = model.tts.distil, model.tts.synthesizer
    teacher = SynthesizerNetwork.from_pretrained(distil.teacher)
    expected, found = teacher.token_list, list(args.token_list)
    if found != expected:
        raise ValueError(
            f"token_list: expected the {len(expected)} tokens of {distil.teacher}, "
            f"found {len(found)} others; give the list that it was trained with"
        )
    load_strictly(synthesizer, teacher.state_dict(), str(distil.teacher))
    own = model.feats_extract.features
    own.load_state_dict(teacher.features.state_dict())
    model.requires_grad_(False)
    synthesizer.uniwav.decoder.requires_grad_(True)
    device = next(model.parameters()).device
    model.tts.teacher = Teacher(teacher.to(device), distil.sampling, distil.num_steps)
