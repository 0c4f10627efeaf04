"""What ``gpu_check`` does on a GPU, and the same with small settings on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from espnet_uniwav.lab.benchmark.setting import Setting


class Size(NamedTuple):
    """A model.

    Attributes:
        name: ``tiny``, ``base`` or ``large``.
        shape: Layers x width of the encoder.
        batch: Utterances of a step that is timed.
    """

    name: str
    shape: str
    batch: int


@dataclass(frozen=True)
class Plan:
    """Settings of all parts.

    Attributes:
        device: ``cuda`` or ``cpu``.
        sizes: Models, of which the middle one is measured with options.
        compared: Utterances, and seconds of each, of a step that the CPU repeats.
        seconds: Of an utterance of a step that is timed.
        num_steps: Steps that are compared, and steps that are timed.
        largest: Utterances of the largest batch that is tried.
        spoken: Seconds of generated speech.
        matrix: Size of the matrix products that give the peak.
        conf: Folder of train_tiny.yaml, train_base.yaml and train_large.yaml.
    """

    device: str
    sizes: tuple[Size, ...]
    compared: tuple[int, float]
    seconds: float
    num_steps: int
    largest: int
    spoken: float
    matrix: int
    conf: Path = Path("conf")

    def setting(self, size: Size, dtype: str, device: str | None = None) -> Setting:
        """The setting of the steps that are compared."""
        return Setting(
            size=size.shape,
            batch=self.compared[0],
            seconds=self.compared[1],
            num_classes=2,
            threads=0,
            malloc="",
            device=device or self.device,
            dtype=dtype,
            wav=[],
            conf=str(self.conf / f"train_{size.name}.yaml"),
            seed=0,
        )


PLANS = {
    "cuda": Plan(
        device="cuda",
        sizes=(
            Size("tiny", "6x256", 32),
            Size("base", "12x768", 16),
            Size("large", "24x1024", 8),
        ),
        compared=(2, 4.0),
        seconds=15.0,
        num_steps=10,
        largest=4096,
        spoken=10.0,
        matrix=8192,
    ),
    "cpu": Plan(
        device="cpu",
        sizes=(
            Size("tiny", "2x64", 2),
            Size("base", "3x64", 2),
            Size("large", "4x128", 2),
        ),
        compared=(2, 0.5),
        seconds=1.0,
        num_steps=3,
        largest=2,
        spoken=0.5,
        matrix=256,
    ),
}
