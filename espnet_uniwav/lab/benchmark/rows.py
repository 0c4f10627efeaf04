"""Memory and time that the tables of a large corpus cost a training, before any audio.

    python -m espnet_uniwav.lab.benchmark.rows --num_rows 2000000

Writes a wav.scp and a shape file of that many utterances of 2 to 34 seconds, whose
names and paths are as long as LibriLight's but lead to a few short files, builds
dataset, sampler and iterator as stock `ssl_train` does for a configuration, and prints
the memory after each stage: of the process, and of what its workers do not share with
it (`Private_Dirty` of Linux).
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from pathlib import Path

import numpy as np

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE, write_speech
from espnet_uniwav.io.tables import markdown
from espnet_uniwav.plugin import register

MIB = 1 << 10  # KiB, the unit of /proc
NUM_FILES = 10
FRONTEND = ("--frontend", "uniwav", "--encoder", "uniwav", "--model", "uniwav")


def measure(
    num_rows: int = 2_000_000,
    batch_bins: int = 15_360_000,
    num_workers: int = 4,
    num_batches: int = 400,
    epoch: int = 40,
) -> str:
    """Build the iterator of a training, and read batches.

    Args:
        num_rows: Utterances; 2,000,000 of 18 s are 10,000 hours.
        batch_bins: Samples of a batch (`batch_type: numel`).
        num_workers: Processes that read audio.
        num_batches: Batches after which the workers are measured again.
        epoch: Epoch at which a training resumes.
    """
    register()
    from espnet2.tasks.ssl import SSLTask
    from espnet2.train.distributed_utils import DistributedOption

    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder), num_rows)
        stages.end("ESPnet, and the tables written")
        args = _parse(SSLTask, Path(folder), batch_bins, num_workers)
        factory = SSLTask.build_iter_factory(args, DistributedOption(), "train")
        stages.end("dataset, sampler and batches")
        batches = iter(factory.build_iter(1))
        for number in range(1, num_batches + 1):
            next(batches)
            if number == num_workers:
                stages.end("workers started", batches)
        stages.end(f"{num_batches} batches read", batches)
        del batches
        next(iter(factory.build_iter(epoch)))
        stages.end(f"first batch of epoch {epoch}, as after a restart")
    return stages.table()


def write_rows(folder: Path, num_rows: int) -> None:
    """Write `wav.scp`, `speech_shape` and the few files."""
    generator = np.random.default_rng(0)
    audio = folder / "a_folder_name_as_long_as_those_of_large_corpora_are"
    audio.mkdir()
    for number in range(NUM_FILES):
        noise = generator.uniform(-0.1, 0.1, SAMPLE_RATE // 10)
        write_speech(audio / f"{number:020d}.flac", noise, SAMPLE_RATE)
    lengths = generator.integers(2 * SAMPLE_RATE, 34 * SAMPLE_RATE, num_rows)
    wavs, shapes = (open(folder / name, "w") for name in ("wav.scp", "speech_shape"))
    with wavs, shapes:
        for number, length in enumerate(lengths):
            name = f"speaker{number // 1000:06d}-chapter-{number:010d}"
            wavs.write(f"{name} {audio}/{number % NUM_FILES:020d}.flac\n")
            shapes.write(f"{name} {length}\n")


def _parse(task: type, folder: Path, batch_bins: int, num_workers: int) -> Namespace:
    """The arguments of a training on the tables."""
    inputs = ["--train_data_path_and_name_and_type", f"{folder}/wav.scp,speech,sound"]
    inputs += ["--train_shape_file", f"{folder}/speech_shape"]
    inputs += ["--batch_type", "numel", "--batch_bins", str(batch_bins)]
    inputs += ["--num_workers", str(num_workers), "--num_iters_per_epoch", "5000"]
    inputs += ["--use_preprocessor", "false", "--output_dir", str(folder)]
    return task.get_parser().parse_args([*FRONTEND, *inputs])


class Stages:
    """Rows of the table, one for each stage."""

    def __init__(self):
        self.rows, self.begin = [], time.monotonic()

    def end(self, name: str, batches=None) -> None:
        """Measure after a stage; the batches' workers, too."""
        own = _memory("self", "status", "VmRSS"), _memory("self", "status", "VmHWM")
        workers = getattr(batches, "_workers", ())
        dirty = [_memory(w.pid, "smaps_rollup", "Private_Dirty") for w in workers]
        seconds = time.monotonic() - self.begin
        worker = f"{max(dirty):.0f}" if dirty else ""
        row = name, f"{seconds:.1f}", f"{own[0]:.0f}", f"{own[1]:.0f}", worker
        self.rows.append(row)
        print(*row, flush=True)
        self.begin = time.monotonic()

    def table(self) -> str:
        """All of it in Markdown."""
        columns = "stage", "s", "process, MiB", "its peak, MiB", "each worker, MiB"
        return markdown(columns, self.rows)


def _memory(process: int | str, file: str, key: str) -> float:
    """A line of a file of Linux' /proc, in MiB."""
    text = Path(f"/proc/{process}/{file}").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) / MIB


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(measure, "", argv)


if __name__ == "__main__":
    main()
