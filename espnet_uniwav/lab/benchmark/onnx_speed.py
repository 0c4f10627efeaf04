"""Benchmark ONNX graphs: onnxruntime beside PyTorch, one thread of a CPU each.

Every graph of the packaged models computes the same utterance in both, in turns. The
difference of the results is printed beside the times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet_uniwav.apps.onnx.export import PARTS, export_onnx
from espnet_uniwav.apps.onnx.graphs import Graph
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.checkpoint import load, read_checkpoint
from espnet_uniwav.io.tables import markdown

MODELS = ("small", "tokens", "voices")
RATE, FRAME_RATE = 16000, 50
FRAMES_PER_TOKEN = 5


def compare(folder: Path, seconds: float = 5.0, rounds: int = 9) -> str:
    """Time all graphs.

    Args:
        folder: Of the exported models, each in a folder of its name; those that are
            missing are exported.
        seconds: Length of the utterance.
        rounds: How often both have a turn, after one that is not counted.

    Returns:
        A table.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name in MODELS:
        if not (folder / name / "config.json").exists():
            export_onnx(name, folder / name)
        for stem, graph in PARTS[read_checkpoint(name).kind](load(name)).items():
            row = _compare_graph(graph, folder / name / f"{stem}.onnx", seconds, rounds)
            rows.append((name, stem, *row))
    title = f"{seconds:g} s of speech, one thread, median (min) of {rounds} rounds."
    columns = "model", "graph", "PyTorch, ms", "onnxruntime, ms", "ratio", "difference"
    return f"{title}\n\n{markdown(columns, rows)}"


def _compare_graph(
    graph: Graph, path: Path, seconds: float, rounds: int
) -> tuple[str, ...]:
    """Times of both, how many times as fast onnxruntime is, and the difference."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    inputs = make_inputs(graph, seconds)
    arrays = {name: value.numpy() for name, value in inputs.items()}
    ours, theirs = [], []
    for _ in range(rounds + 1):
        with torch.inference_mode():
            expected = _timed(lambda: graph.eval()(*inputs.values()), ours)
        found = _timed(lambda: session.run(None, arrays), theirs)
    expected = expected[0] if isinstance(expected, tuple) else expected
    difference = np.abs(expected.numpy() - found[0]).max()
    ratio = statistics.median(ours[1:]) / statistics.median(theirs[1:])
    return _said(ours[1:]), _said(theirs[1:]), f"{ratio:.2f}", f"{difference:.1g}"


def make_inputs(graph: Graph, seconds: float) -> dict[str, Tensor]:
    """Noise as speech and features, half of which are to be generated."""
    frames = round(seconds * FRAME_RATE)
    sizes = {"B": 1, "S": round(seconds * RATE), "T": frames}
    sizes["L"] = frames // FRAMES_PER_TOKEN
    given = {
        "speech_lengths": torch.tensor([sizes["S"]]),
        "durations": torch.full((1, sizes["L"]), FRAMES_PER_TOKEN),
        "tokens": torch.arange(sizes["L"])[None] % 60 + 2,
        "padding_mask": torch.zeros(1, frames, dtype=torch.bool),
        "mask": torch.arange(frames)[None] >= frames // 2,
        "known": torch.arange(sizes["L"])[None] < sizes["L"] // 2,
    }
    shapes = {name: said.split()[1:] for name, said in graph.inputs.items()}
    return {
        name: given.get(name, torch.randn([sizes.get(s) or int(s) for s in shape]))
        for name, shape in shapes.items()
    }


def _timed(work: Callable, seconds: list[float]):
    start = time.perf_counter()
    result = work()
    seconds.append(time.perf_counter() - start)
    return result


def _said(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} ({1000 * min(seconds):.1f})"


if __name__ == "__main__":
    run_script(compare, "folder")
