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
        start: Fine-tuned model that the student starts as, such as one on another
            encoder; None: the teacher. All that its decoder reads learns with it but
            the encoder.

    Raises:
        ValueError: If the teacher is missing or a number is of no use.
    """

    teacher: str | Path
    num_steps: int = 2
    teacher_steps: int = SPEAKING.num_steps
    guidance_scale: float = SPEAKING.guidance_scale
    temperature: float = SPEAKING.temperature
    start: str | Path | None = None

    def __post_init__(self):
        for name, model in self.models.items():
            if not isinstance(model, (str, Path)) or not str(model):
                raise ValueError(
                    f"distil: {name}: expected a fine-tuned model, found {model!r}"
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
    def models(self) -> dict[str, str | Path]:
        """The models that are read, by the names of their arguments."""
        start = {} if self.start is None else {"start": self.start}
        return {"teacher": self.teacher, **start}

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
    """Complete the ``tts_conf`` of a student by sampling and the network of its start.

    Args:
        conf: With ``distil``. If it has an architecture, that model is not read.

    Raises:
        FileNotFoundError: If that model is needed and missing.
        ValueError: If it is no synthesiser, or a setting contradicts.
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
    models = {name: str(model) for name, model in distil.models.items()}
    resolved = {**asdict(distil), **models}
    return {**conf, **settings, "distil": resolved}


def _network(distil: Distillation, own: set[str]) -> dict:
    """``tts_conf`` of the start without its training; refuses other ``own`` keys."""
    name, model = list(distil.models.items())[-1]
    if wrong := sorted(own - {"distil", *FREE}):
        raise ValueError(
            f"tts_conf: a student starts as distil.{name}: leave out {', '.join(wrong)}"
        )
    found = read_checkpoint(model)
    found.require(SynthesizerNetwork.kind)
    conf = dict(found.model)
    network = {k: v for k, v in conf.pop("synthesiser").items() if k != "token_list"}
    speaking = conf.pop("speaking")
    kept = {k: speaking[k] for k in ("speed", "voice_text") if k in speaking}
    files = {k: speaking[k] for k in ("voice", "vocoder") if speaking.get(k)}
    files = {key: str(found.file(name)) for key, name in files.items()}
    return {"architecture": conf, **network, **kept, **files}


def build_optimizers(build: Callable, args: argparse.Namespace, model: nn.Module):
    """Load teacher and start of a student, then build as the task does.

    Inference does not come here, so it needs no teacher.
    """
    if getattr(getattr(model, "tts", None), "distil", None):
        _start(args, model)
    return build(args, model)


def _start(args: argparse.Namespace, model: nn.Module) -> None:
    """Load a student as what it starts as, and let only its own parts learn."""
    distil, student = model.tts.distil, model.tts.synthesizer
    teacher = _load(distil.teacher, args.token_list)
    start = teacher if distil.start is None else _load(distil.start, args.token_list)
    if start.features.spec != teacher.features.spec:
        raise ValueError(
            f"distil: start: {distil.start} has features {start.features.spec}, its "
            f"teacher {teacher.features.spec}: a student speaks in those of its teacher"
        )
    load_strictly(student, start.state_dict(), str(distil.start or distil.teacher))
    model.feats_extract.features.load_state_dict(teacher.features.state_dict())
    model.requires_grad_(False)
    student.uniwav.decoder.requires_grad_(True)
    if distil.start is not None:
        for part in (
            student.uniwav.weighted_sum,
            student.text_encoder,
            student.text_condition,
        ):
            part.requires_grad_(True)
    device = next(model.parameters()).device
    model.tts.teacher = Teacher(
        teacher.to(device), distil.sampling, distil.num_steps, distil.start is None
    )


def _load(model: str | Path, token_list: list[str]) -> SynthesizerNetwork:
    """A trained synthesiser of these tokens; others are refused."""
    network = SynthesizerNetwork.from_pretrained(model)
    if list(token_list) != network.token_list:
        raise ValueError(
            f"token_list: expected the {len(network.token_list)} tokens of {model}, "
            f"found {len(token_list)} others; give the list that it was trained with"
        )
    return network
