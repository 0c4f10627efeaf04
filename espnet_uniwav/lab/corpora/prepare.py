"""Turns a corpus into Kaldi-style data folders that ESPnet can train on.

    python -m espnet_uniwav.lab.corpora.prepare CORPUS OUT

CORPUS is a folder of audio files, one with a transcripts.tsv (columns utt, speaker,
path, text, split), a Kaldi data folder (also as sub-folders train, dev, test), or a
data set: a folder or manifest of Hugging Face or lhotse, or hf:OWNER/NAME[:SPLIT].
Every file is decoded once from start to end. Clean 16 kHz mono WAV and FLAC files are
used in place; others are resampled, mixed down or cut and written to OUT/audio.
What cannot be used is counted and listed in OUT/skipped.tsv.

Utterances without a transcript get `<unk>` in `text`, because ESPnet's recipes want
that file; pre-training does not read it. Ids are prefixed with their speaker where they
do not start with it, as Kaldi's sorting demands. In a plain folder of audio the speaker
is the folder of a file. Splits are the corpus's own where it names them; else
whole speakers (ten or more of them) or whole utterances are drawn by hash. As in Kaldi,
an entry of wav.scp that ends in a pipe is run as a shell command, but only if the
environment variable UNIWAV_ALLOW_PIPES is 1; else it is skipped.
"""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import SAMPLE_RATE
from espnet_uniwav.io.kaldi import hash_share, write_data_folder
from espnet_uniwav.io.output import write_text
from espnet_uniwav.io.tables import write_tsv
from espnet_uniwav.lab.corpora.corpus import Recording, Skip, read_corpus
from espnet_uniwav.lab.corpora.decode import Limits, Piece, prepare
from espnet_uniwav.lab.corpora.split import assign_splits
from espnet_uniwav.lab.corpora.transcripts import SPLITS

TOKENS = ("<blank>", "<unk>", "<sos/eos>")
CHUNK = 64


def build(
    corpus: Path,
    out: Path,
    min_seconds: float = 0.4,
    max_seconds: float = 20.0,
    max_hours: float | None = None,
    dev_share: float = 0.05,
    test_share: float = 0.05,
    nj: int | None = None,
) -> None:
    """Reads, decodes, splits and writes the corpus.

    Args:
        corpus: Folder of audio files, with a table or not, a Kaldi data folder, or a
            data set.
        out: Folder to write.
        min_seconds: Shortest utterance.
        max_seconds: Longest utterance; longer ones are cut.
        max_hours: Audio of all utterances at most; None: all.
        dev_share: Share of speakers or utterances drawn for dev.
        test_share: The same for test.
        nj: Threads; None: one per core.

    Raises:
        ValueError: nothing, or not enough, is usable.
    """
    _check_options(min_seconds, max_seconds, dev_share, test_share)
    recordings, skips = read_corpus(corpus, ignore=out)
    audio = out / "audio"
    audio.mkdir(parents=True, exist_ok=True)
    limits = Limits(min_seconds, max_seconds)
    hours = math.inf if max_hours is None else max_hours
    threads = os.cpu_count() if nj is None else nj
    pieces, bad = _prepare_all(recordings, limits, audio, hours, threads)
    skips = sorted(skips + bad, key=lambda skip: skip.utt)
    write_skips(skips, out / "skipped.tsv")
    pieces = assign_splits(pieces, {"dev": dev_share, "test": test_share})
    _check_enough(pieces, skips, corpus, out)
    for name in SPLITS:
        write_kaldi([p for p in pieces if p.split == name], out / name)
    write_text(out / "token_list", "\n".join(TOKENS) + "\n")
    _report(pieces, skips, out)


def write_kaldi(pieces: list[Piece], folder: Path) -> None:
    """Writes one data folder, each table sorted by its key."""
    tables = {
        "wav.scp": {p.utt: p.path for p in pieces},
        "text": {p.utt: p.text or "<unk>" for p in pieces},
        "utt2spk": {p.utt: p.speaker for p in pieces},
        "speech_shape": {p.utt: p.samples for p in pieces},
    }
    write_data_folder(folder, tables)


def write_skips(skips: list[Skip], path: Path) -> None:
    """Lists the entries left out, with the columns utt, path and reason."""
    rows = ((skip.utt, skip.path, skip.reason) for skip in skips)
    write_tsv(path, ("utt", "path", "reason"), rows)


def _prepare_all(
    recordings: Iterable[Recording],
    limits: Limits,
    audio: Path,
    max_hours: float,
    threads: int,
) -> tuple[list[Piece], list[Skip]]:
    """Decodes recordings in a fixed random order until there is enough audio.

    Those of an iterator are decoded as they come.
    """
    total, order = None, iter(recordings)
    if isinstance(recordings, list):
        total = len(recordings)
        order = iter(
            sorted(recordings, key=lambda item: hash_share(item.utterances[0].utt))
        )
    work = partial(prepare, limits=limits, folder=audio)
    pieces, skips, wanted = [], [], max_hours * 3600 * SAMPLE_RATE
    bar = tqdm(total=total, desc="decode", unit="file")
    with ThreadPoolExecutor(threads) as pool, bar:
        while wanted > 0 and (chunk := list(islice(order, CHUNK))):
            for found, bad in pool.map(work, chunk):
                bar.update()
                skips += bad
                for piece in found:
                    if wanted > 0:
                        pieces.append(piece)
                        wanted -= piece.samples
    return pieces, skips


def _check_options(
    min_seconds: float, max_seconds: float, dev_share: float, test_share: float
) -> None:
    if not 0 < min_seconds < max_seconds / 2:
        raise ValueError(
            f"--min_seconds {min_seconds} --max_seconds {max_seconds}: "
            "expected 0 < min_seconds < max_seconds / 2"
        )
    shares = dev_share, test_share
    if min(shares) <= 0 or sum(shares) >= 1:
        raise ValueError(
            f"--dev_share {shares[0]} --test_share {shares[1]}: expected both above 0 "
            "and their sum below 1"
        )


def _check_enough(
    pieces: list[Piece], skips: list[Skip], corpus: Path, out: Path
) -> None:
    """Stops if training could not start; warns if most utterances are lost."""
    total = len(pieces) + len(skips)
    kinds = _count_kinds(skips)
    listed = f"; every case is listed in {out / 'skipped.tsv'}" if skips else ""
    if not pieces:
        raise ValueError(
            f"corpus {corpus}: none of {total} utterances is usable ({kinds}){listed}"
        )
    have = Counter(piece.split for piece in pieces)
    if not have["train"] or not have["dev"]:
        raise ValueError(
            f"corpus {corpus}: {have['train']} usable utterances for train and "
            f"{have['dev']} for dev, of {total}: expected at least one each{listed}"
        )
    if len(skips) > total / 2:
        print(
            f"WARNING: {len(skips)} of {total} utterances of {corpus} are left "
            f"out ({kinds}){listed}. Is this the corpus that you meant?",
            file=sys.stderr,
        )


def _report(pieces: list[Piece], skips: list[Skip], out: Path) -> None:
    for name in SPLITS:
        part = [piece for piece in pieces if piece.split == name]
        hours = sum(piece.samples for piece in part) / SAMPLE_RATE / 3600
        speakers = len({piece.speaker for piece in part})
        print(f"{name:5} {len(part):7} utterances {hours:8.3f} h {speakers} speakers")
    changes = Counter(change for piece in pieces for change in piece.changes)
    in_place = sum(not piece.changes for piece in pieces)
    done = "".join(f", {count} {name}" for name, count in sorted(changes.items()))
    print(f"audio {in_place:7} used in place{done}")
    print(f"skipped {len(skips):5} {_count_kinds(skips)} ({out / 'skipped.tsv'})")


def _count_kinds(skips: list[Skip]) -> str:
    kinds = Counter(skip.reason.partition(":")[0] for skip in skips)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(build, "corpus out", argv)


if __name__ == "__main__":
    main()
