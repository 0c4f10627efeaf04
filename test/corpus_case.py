"""Audio and tables for the tests of the corpus preparation."""

import numpy as np
import soundfile

RATE = 16000


def noise(seconds, channels=1, rate=RATE, seed=0):
    shape = (round(seconds * rate), channels)
    samples = np.random.default_rng(seed).uniform(-0.3, 0.3, shape)
    return samples.astype(np.float32).squeeze(1) if channels == 1 else samples


def write(path, samples, rate=RATE, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **kwargs)
    return path


def table(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def write_table(folder, rows, columns="utt speaker path text split".split()):
    lines = ["\t".join(columns)] + ["\t".join(row) for row in rows]
    (folder / "transcripts.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_kaldi(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        name = name.replace("_", ".")
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


class Result:
    """Results of a run."""

    def __init__(self, out, status, words):
        self.out, self.status, self.words = out, status, words
        self.splits = {}
        for name in ("train", "dev", "test"):
            if (out / name / "wav.scp").exists():
                self.splits[name] = table(out / name / "wav.scp")
        self.wavs = {k: v for part in self.splits.values() for k, v in part.items()}

    def skipped(self):
        lines = (self.out / "skipped.tsv").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines[1:]]
        return {utt: reason.partition(":")[0] for utt, _, reason in rows}
