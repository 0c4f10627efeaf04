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

import torch

from espnet_uniwav.apps.infill.recording import load_generator
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.tables import write_csv
from espnet_uniwav.lab.score.infilling import (
    InfillingScorer,
    Protocol,
    csv_rows,
    format_table,
    load_utterances,
    parse_grid,
    score_table,
)
from espnet_uniwav.lab.score.judges import WhisperJudge


def score_infill(
    checkpoint: Path,
    data: Path,
    output: Path,
    share: float = 0.3,
    spans: Sequence[float] = (0.1, 0.2),
    num_utterances: int | None = None,
    grid: str = "",
    cache: Path | None = None,
    save_wavs: Path | None = None,
    no_whisper: bool = False,
    beam_size: int = 5,
    cpu_threads: int = 2,
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
        grid: Settings to compare, such as num_steps=1,4;temperature=0.7,1.
        cache: Json file of the scores that need no model.
        save_wavs: Folder for every judged waveform.
        no_whisper: Distance only.
        beam_size: Beam of Whisper.
        cpu_threads: Threads of Whisper and torch.
        seed: Seed of all random draws.
        device: Torch device, such as cuda.
        **sampling: Settings of the solver, see ``Sampling``.
    """
    torch.set_num_threads(cpu_threads)
    output.parent.mkdir(parents=True, exist_ok=True)
    check_output(output)
    model = load_generator(checkpoint)
    settings = parse_grid(grid, Sampling(**sampling))
    utterances, skipped = load_utterances(
        data, model.features, num_utterances, max(spans)
    )
    judge = None if no_whisper else WhisperJudge(beam_size, cpu_threads)
    scorer = InfillingScorer(model.features, utterances, judge, cache, save_wavs)
    protocols = [Protocol(span, share, seed) for span in spans]
    rows, differences = score_table(scorer, model.to(device), protocols, settings, seed)
    write_csv(output, csv_rows(rows))
    print(format_table(rows))
    for d in differences:
        print(
            f"{1000 * d.span:.0f} ms: {d.system} minus {d.filler}: {d.points:+.1f} "
            "points of WER"
        )
    return (
        f"{len(utterances)} utterances scored, {len(skipped)} left out (too short or "
        f"without text){': ' if skipped else ''}{' '.join(skipped)}"
    )


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(score_infill, argv=argv)


if __name__ == "__main__":
    main()
