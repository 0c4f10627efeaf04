#!/usr/bin/env python3
"""Score infilling by word errors and by distance.

Hide frames of every utterance, fill them in several ways, and compare: word errors of
Whisper tiny.en, and mean absolute distance of the features at the hidden frames
(log_mel: natural logarithm, 1.0 = 8.7 dB). All but the original pass through the
inverse of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from espnet_uniwav.apps.infill.recording import load_generator
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.tables import write_csv
from espnet_uniwav.lab.score.infilling import (
    describe_differences,
    format_infilling,
    load_utterances,
    score_infilling,
)
from espnet_uniwav.lab.score.judges import WhisperJudge


def score_infill(
    checkpoint: Path,
    data: Path,
    output: Path,
    share: float = 0.3,
    spans: Sequence[float] = (0.1, 0.2),
    num_utterances: int | None = None,
    no_whisper: bool = False,
    seed: int = 0,
    device: str = "cpu",
    **sampling,
) -> str:
    """Score one checkpoint, print the table and write the CSV.

    Args:
        checkpoint: Folder of ``uniwav export``, or a name.
        data: Kaldi data folder: wav.scp, text.
        output: CSV file to write.
        share: Share of hidden frames.
        spans: Lengths of a hidden span (seconds).
        num_utterances: Number of utterances, evenly spread; None: all.
        no_whisper: Distance only.
        seed: Seed of all random draws.
        device: Torch device, such as cuda.
        **sampling: Settings of the solver, see ``Sampling``.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    check_output(output)
    model = load_generator(checkpoint)
    utterances, skipped = load_utterances(
        data, model.features, num_utterances, max(spans)
    )
    transcribe = None if no_whisper else WhisperJudge().transcribe
    settings, model = Sampling(**sampling), model.to(device)
    tables = [
        score_infilling(model, utterances, span, share, settings, seed, transcribe)
        for span in spans
    ]
    more = {"share": share, "seed": seed, "sampling": settings}
    write_csv(output, [{**own.row, **more} for t in tables for own in t.values()])
    print(format_infilling(tables))
    for table in tables if transcribe else ():
        print("\n".join(describe_differences(table)))
    return (
        f"{len(utterances)} utterances scored, {len(skipped)} left out (too short or "
        f"without text){': ' if skipped else ''}{' '.join(skipped)}"
    )


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(score_infill, argv=argv)


if __name__ == "__main__":
    main()
