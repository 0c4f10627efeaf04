#!/usr/bin/env python3
"""Copies recordings by Lyra's own codes, a published codec, as controls of our tokens.

A frame of 20 ms has up to 46 residual codes of 4 bits: 16, 30 and 46 of them are the
codec's 3.2, 6 and 9.2 kbit/s. Needs the extra lyra and the codec's three files, see
`features: lyra`.

examples:
  python local/lyra_copies.py data/lines/test/lines.tsv exp/lyra
  uniwav score data/lines/test/lines.tsv "Lyra, 3.2 kbit/s=exp/lyra/16" \\
      "Lyra, 6 kbit/s=exp/lyra/30" --output exp/lyra/scores --codec lyra
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from espnet_uniwav.apps.tts.lines import read_lines
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.features.lyra import SAMPLE_RATE, Lyra, find_network
from espnet_uniwav.io.audio import read_speech, write_speech
from espnet_uniwav.io.download import Archive
from espnet_uniwav.io.output import check_output, file_of

QUANTIZER = Archive(
    "lyra/model_coeffs/quantizer.tflite",
    329012,
    "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c",
)


def lyra_copies(
    lines: Path,
    output: Path,
    num_codes: Sequence[int] = (16, 30, 46),
    codec: str | Path | None = None,
) -> str:
    """Write a folder of copies for each number of codes.

    Args:
        lines: Table with name and reference, as of ``uniwav score``.
        output: Folder of the folders.
        num_codes: Codes of a frame, up to 46.
        codec: Folder of the codec's files; None: as of ``features: lyra``.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError, ImportError: Naming the file and what to do.
    """
    if not all(0 < number <= 46 for number in num_codes):
        raise ValueError(f"--num_codes: expected 1 to 46, found {list(num_codes)}")
    check_output(output, folder=True)
    features, quantizer = Lyra(codec), Quantizer(find_network(QUANTIZER, codec))
    table = read_lines(lines, ("name", "reference"))
    for line in table:
        speech = read_speech(line.reference, SAMPLE_RATE)
        raw = features.analyse(torch.as_tensor(speech)[None])[0].numpy()
        for number in num_codes:
            copied = np.stack([quantizer(frame, number) for frame in raw])
            samples = features.synthesise(torch.from_numpy(copied)[None])[0]
            folder = output / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            path = file_of(folder, line.name, ".wav")
            write_speech(path, samples[: len(speech)].numpy(), SAMPLE_RATE)
    return (
        f"{output}: {len(table)} recordings with {', '.join(map(str, num_codes))} codes"
    )


class Quantizer:
    """Lyra's residual quantiser.

    Args:
        path: ``quantizer.tflite``.
    """

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        network = Interpreter(str(path), num_threads=1)
        self.encode = network.get_signature_runner("encode")
        self.decode = network.get_signature_runner("decode")

    def __call__(self, frame: np.ndarray, number: int) -> np.ndarray:
        """A frame (64,) of latents, as its first codes give it back."""
        frame, number = frame.reshape(1, 1, -1), np.int32(number)
        outputs = self.encode(input_frames=frame, num_quantizers=number)
        codes = next(own for own in outputs.values() if own.ndim == 3)
        return self.decode(encoding_indices=codes)["output_0"].ravel()


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(lyra_copies, "lines output", argv)


if __name__ == "__main__":
    main()
