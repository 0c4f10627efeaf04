"""Check and measure what a GPU does, in about ten minutes.

    python -m espnet_uniwav.lab.benchmark.gpu_check --output gpu.md
    python -m espnet_uniwav.lab.benchmark.gpu_check --device cpu     # rehearsal, small

Run it in the folder of ssl1, whose configurations it takes. Training steps of three
sizes in three types, of the middle size also with options, have the losses of the
CPU; the packaged models speak and encode as on the CPU. A check that fails does not
stop the others.
"""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, distributed

from espnet_uniwav.apps.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.cli.command import run_script
from espnet_uniwav.core.flow.precondition import Precondition
from espnet_uniwav.io.output import check_output, write_text
from espnet_uniwav.io.tables import markdown
from espnet_uniwav.lab.benchmark import measure
from espnet_uniwav.lab.benchmark.cpu_draws import cpu_draws
from espnet_uniwav.lab.benchmark.ours import Uniwav
from espnet_uniwav.lab.benchmark.system import (
    Setting,
    System,
    speech_like_noise,
)

# Largest relative difference of a loss to that of the CPU in fp32.
TOLERANCE = {"fp32": 0.01, "fp16": 0.05, "bf16": 0.05}
# Of generated features or samples, relative to their deviation; and of wrong codes.
OFF, WRONG_CODES = 0.05, 0.02
OPTIONS = {
    "checkpointing": {"checkpointing": True},
    "compile": {"compile": True},
    "DDP, one process": {},
}
STEPS = ("size", "type", "option", "loss, first", "last", "off the CPU's")
STEPS += ("audio s per s", "peak MiB", "of the peak FLOP/s")
SPOKEN = 5.0  # seconds of generated speech
TEXT = "The quick brown fox jumps over the lazy dog near the bank of the river."


@dataclass(frozen=True)
class Plan:
    """What is measured on a device.

    Attributes:
        device: ``cuda`` or ``cpu``.
        sizes: Name, layers x width of the encoder, utterances of a timed step.
        compared: Setting of the steps that the CPU repeats; of 16 n frames, to which
            autocast pads on a CPU.
        seconds: Of an utterance of a timed step.
        num_steps: Steps that are compared, and steps that are timed.
        matrix: Size of the matrix products that give the peak.
    """

    device: str
    sizes: tuple[tuple[str, str, int], ...]
    compared: Setting
    seconds: float
    num_steps: int
    matrix: int


PLANS = {
    "cuda": Plan(
        device="cuda",
        sizes=(("tiny", "6x256", 32), ("base", "12x768", 16), ("large", "24x1024", 8)),
        compared=Setting("", batch=2, seconds=4.0, conf="", device="cuda"),
        seconds=15.0,
        num_steps=10,
        matrix=8192,
    ),
    "cpu": Plan(
        device="cpu",
        sizes=(("tiny", "2x64", 2), ("base", "3x64", 2), ("large", "4x128", 2)),
        compared=Setting("", batch=2, seconds=0.64, conf=""),
        seconds=1.0,
        num_steps=3,
        matrix=256,
    ),
}


def gpu_check(
    device: Literal["cuda", "cpu"] = "cuda",
    conf: str | Path = "conf",
    output: Path | None = None,
) -> None:
    """Run all checks and print their tables; exit status 1 if anything is wrong.

    Args:
        device: The GPU; cpu: a rehearsal with small settings.
        conf: Folder of train_tiny.yaml, train_base.yaml and train_large.yaml.
        output: File for the tables too, in markdown.
    """
    if output:
        check_output(output)
    start, plan = time.perf_counter(), PLANS[device]
    name = describe_device(plan)
    steps, others = [], []
    for wrong, table, row in run_checks(plan, Path(conf)):
        print(f"    {' | '.join(row)}", file=sys.stderr, flush=True)
        (steps if table is STEPS else others).append([*row, "WRONG" if wrong else ""])
        seconds = time.perf_counter() - start
        tables = [f"{name} {seconds:.0f} s in all.", markdown((*STEPS, ""), steps)]
        text = "\n\n".join([*tables, markdown(("check", "result", ""), others)])
        if output:
            write_text(output, text + "\n")
    print(text)
    if any(row[-1] for row in (*steps, *others)):
        sys.exit(1)


def describe_device(plan: Plan) -> str:
    """The device, and its peak in every type."""
    name = "CPU (a rehearsal: small settings)"
    if plan.device == "cuda":
        name = torch.cuda.get_device_name()
    peaks = [f"{dtype} {peak_of(plan, dtype) / 1000:.3g}" for dtype in TOLERANCE]
    return (
        f"{name}, torch {torch.__version__}. Peak of a matrix product of "
        f"{plan.matrix}: {', '.join(peaks)} TFLOP/s."
    )


@functools.cache
def peak_of(plan: Plan, dtype: str) -> float:
    """GFLOP/s of a matrix product of this type on the device."""
    return measure.measure_matmul(plan.device, plan.matrix, dtype)


def run_checks(plan: Plan, conf: Path) -> Iterator[tuple[bool, tuple, list[str]]]:
    """Whether a check went wrong, the head of its table, and its row."""
    kinds = [(size, dtype, "") for size in plan.sizes for dtype in TOLERANCE]
    kinds += [(plan.sizes[1], "bf16", option) for option in OPTIONS]
    for (name, shape, batch), dtype, option in kinds:
        setting = replace(plan.compared, size=shape, conf=f"{conf}/train_{name}.yaml")
        try:
            wrong, cells = check_steps(plan, setting, batch, dtype, option)
            yield wrong, STEPS, [name, dtype, option, *cells]
        except Exception as error:  # the next check may still work
            yield True, (), [f"{name}, {dtype} {option}", describe(error)]
        free_memory(plan.device)
    for check in (check_speaking, check_tokens):
        try:
            yield from ((wrong, (), list(row)) for wrong, *row in check(plan.device))
        except Exception as error:
            yield True, (), [check.__name__, describe(error)]


def describe(error: Exception) -> str:
    """An error in one line."""
    reason = str(error).strip().partition("\n")[0]
    return f"failed: {type(error).__name__}: {reason}"


def check_steps(
    plan: Plan, setting: Setting, batch: int, dtype: str, option: str
) -> tuple[bool, list[str]]:
    """Compare losses with the CPU's, then time larger steps.

    Args:
        plan: What is measured.
        setting: Of the steps that are compared, but for the type.
        batch: Utterances of a timed step.
        dtype: Of autocast.
        option: One of ``OPTIONS``, or none.

    Returns:
        Whether a loss is wrong, and the rest of the row.
    """
    expected, precondition = take_reference(setting, plan.num_steps)
    setting = replace(setting, dtype=dtype)
    with one_process(plan.device) if "DDP" in option else nullcontext():
        system = build(setting, **OPTIONS.get(option, {}))
        if "DDP" in option:
            system.model = torch.nn.parallel.DistributedDataParallel(system.model)
        precondition_of(system).load_state_dict(precondition)
        losses = take_steps(system, plan.num_steps)
        off = max(abs(ours / theirs - 1) for ours, theirs in zip(losses, expected))
        system.set_audio(replace(setting, batch=batch, seconds=plan.seconds))
        flop = measure.count_flop(system)
        system.step({})  # compiles what the counter did not
        if plan.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        timing = measure.time_steps(system, plan.num_steps)
        memory = timing["peak_mib"]
        if plan.device == "cpu":  # where the process has the peak of all steps before
            memory = measure.count_live_memory(system) / 2**20
    seconds = timing["wall"] / plan.num_steps
    share = flop / seconds / 1e9 / peak_of(plan, dtype)
    speed = timing["audio_s"] / timing["wall"]
    cells = [f"{losses[0]:.3f}", f"{losses[-1]:.3f}", f"{off:.2%}"]
    cells += [f"{speed:.3g}", f"{memory:.0f}", f"{share:.0%}"]
    return not off <= TOLERANCE[dtype], cells


def build(setting: Setting, **options) -> System:
    """A model with the weights of the seed."""
    torch.manual_seed(setting.seed)
    return Uniwav(setting, **options)


@functools.cache
def take_reference(setting: Setting, num_steps: int) -> tuple[list[float], dict]:
    """Losses on the CPU in fp32, and the state of the decoder's preconditioning.

    Every device takes that over: the sign of a principal axis is arbitrary.
    """
    system = build(replace(setting, device="cpu"))
    losses = take_steps(system, num_steps)
    return losses, precondition_of(system).state_dict()


def precondition_of(system: System) -> Precondition:
    """The decoder's preconditioning, which the first batch fits."""
    parts = system.model.modules()
    return next(part for part in parts if isinstance(part, Precondition))


def take_steps(system: System, number: int) -> list[float]:
    """Take steps with the draws of the CPU; returns their losses."""
    losses = draw_equally(lambda: [system.step({}) for _ in range(number)])
    return torch.cat(losses).tolist()


def draw_equally(function: Callable):
    """Call with the draws of the CPU from a fixed seed."""
    torch.manual_seed(1)
    with cpu_draws():
        return function()


@contextmanager
def one_process(device: str):
    """Context of a process group of one."""
    backend = "nccl" if device == "cuda" else "gloo"
    store = distributed.HashStore()
    distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def free_memory(device: str) -> None:
    """Free what no tensor uses."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def check_speaking(device: str) -> Iterator[tuple]:
    """Speak with the packaged model; rows of a table, see ``run_checks``."""
    here, there = (
        Synthesizer.from_pretrained("voices", device=d) for d in ("cpu", device)
    )
    names, rate = here.text_tokens(TEXT), here.features.spec.frame_rate
    frames = round(SPOKEN * rate)

    def speak(own: Synthesizer) -> Tensor:
        x = own.speak(names, num_frames=frames).x
        own.features.invert_one(x)
        return x

    yield from compare("frames of speech", here, there, speak, device)


def check_tokens(device: str) -> Iterator[tuple]:
    """Encode and decode with the packaged model; rows as of ``check_speaking``."""
    here, there = (UniWavTokenizer.from_pretrained("tokens") for _ in range(2))
    there.to(device)
    samples = speech_like_noise(
        round(SPOKEN * here.sample_rate), np.random.default_rng(0)
    )
    speech = torch.from_numpy(samples).float()[None]
    codes = here.encode(speech)
    equal = (there.encode(speech.to(device)).cpu() == codes).float().mean().item()
    yield equal < 1 - WRONG_CODES, "equal tokens", f"{equal:.2%}"
    yield from compare(
        "speech of tokens", here, there, lambda own: own.decode(codes), device
    )


def compare(name: str, here, there, make: Callable, device: str) -> Iterator[tuple]:
    """What models make of something on the CPU and there, and the speed."""
    make(there)  # the first call of a GPU loads its kernels
    measure.synchronize(device)
    start = time.perf_counter()
    found = draw_equally(lambda: make(there)).cpu()
    seconds = time.perf_counter() - start
    expected = draw_equally(lambda: make(here))
    off = ((found - expected).abs().mean() / expected.std()).item()
    yield not off <= OFF, name, f"{off:.2g} off, {SPOKEN / seconds:.3g} s per s"


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(gpu_check, argv=argv)


if __name__ == "__main__":
    main()
