"""The four tasks: S3PRL expert, splits, files and metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """How a task is run and scored.

    Attributes:
        title: in tables.
        downstream: the expert's name in S3PRL.
        splits: our dev and test -> the harness's names.
        outputs: file of a run's folder with the predictions for a split.
        references: file of a run's folder with what is right.
        metrics: names; the first one chooses the learning rate on dev.
        higher_is_better: of the first metric.
    """

    title: str
    downstream: str
    splits: dict[str, str]
    outputs: str
    references: str
    metrics: tuple[str, ...]
    higher_is_better: bool = False

    @property
    def best(self) -> str:
        """The checkpoint that the harness keeps of its best evaluation on dev."""
        return f"{self.splits['dev']}-best.ckpt"


PLAIN = {"dev": "dev", "test": "test"}
CLEAN = {"dev": "dev-clean", "test": "test-clean"}

TASKS = {
    "pr": Task("PR", "ctc", PLAIN, "{}-hyp.ark", "{}-ref.ark", ("PER",)),
    "asr": Task(
        "ASR", "asr", CLEAN, "{}-noLM-hyp.ark", "{}-noLM-ref.ark", ("CER", "WER")
    ),
    "sid": Task(
        "SID", "voxceleb1", PLAIN, "{}_predict.txt", "{}_truth.txt", ("accuracy",), True
    ),
    "asv": Task("ASV", "sv_voxceleb1", PLAIN, "{}_predict.txt", "", ("EER",)),
}
