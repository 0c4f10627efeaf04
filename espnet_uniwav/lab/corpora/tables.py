"""Writes the tables of a data set of Hugging Face or lhotse: Kaldi-style data folders.

    python -m espnet_uniwav.lab.corpora.tables SOURCE OUT

SOURCE is what `espnet_uniwav.lab.corpora.prepare` takes as a data set. OUT is a data
folder (wav.scp, utt2spk and, where there are some, segments and text), or holds one for
each part of the data set. Nothing is resampled, cut or drawn. Audio files stay where
they are; audio that is in the data set, or in one channel of a file, is written once to
audio/*.flac. What cannot be read is listed in skipped.tsv.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.audio import write_speech
from espnet_uniwav.io.data_sets import find_data_set
from espnet_uniwav.io.input import LINE_ENDS, clean_id
from espnet_uniwav.io.kaldi import write_data_folder
from espnet_uniwav.io.output import check_output
from espnet_uniwav.io.pipe import Pipe
from espnet_uniwav.io.samples import read_sound, to_mono
from espnet_uniwav.io.source import Utterance
from espnet_uniwav.lab.corpora.corpus import Recording, Skip, recordings_of
from espnet_uniwav.lab.corpora.decode import check_rate
from espnet_uniwav.lab.corpora.prepare import write_skips


def write_tables(source: Path, out: Path) -> str:
    """Write the data folders; say how many utterances each has.

    Args:
        source: A data set.
        out: Folder to write.
    """
    check_output(out, folder=True)
    parts = find_data_set(source)
    if parts is None:
        raise ValueError(
            f"{source}: expected a data set of Hugging Face or lhotse, found none"
        )
    said = []
    for name, utterances in parts.items():
        folder = out if len(parts) == 1 else out / clean_id(name)
        count, skips = _write_part(utterances, folder)
        said.append(f"{folder}: {count} utterances, {len(skips)} skipped")
    return "\n".join(said)


def _write_part(utterances: Iterable[Utterance], folder: Path):
    """Write one data folder; returns the number of utterances, and what is skipped."""
    tables = {name: {} for name in ("wav.scp", "segments", "utt2spk", "text")}
    skips: list[Skip] = []
    for recording in recordings_of(utterances):
        name = recording.utterances[0].utt
        if twice := [
            cut.utt for cut in recording.utterances if cut.utt in tables["utt2spk"]
        ]:
            raise ValueError(f"{folder}: {twice[0]} is there twice; rename one of them")
        try:
            tables["wav.scp"][name] = _locate(
                recording, folder / "audio" / f"{name}.flac"
            )
        except (OSError, ValueError) as error:
            source, reason = str(recording.source), f"unreadable: {error}"
            skips += [Skip(cut.utt, source, reason) for cut in recording.utterances]
            continue
        for cut in recording.utterances:
            end = -1 if cut.end is None else cut.end
            tables["segments"][cut.utt] = f"{name} {cut.start} {end}"
            tables["utt2spk"][cut.utt] = cut.speaker
            tables["text"][cut.utt] = re.sub(LINE_ENDS, " ", cut.text)
    if not tables["utt2spk"]:
        first = f"{skips[0].path}: {skips[0].reason}" if skips else "there is none"
        raise ValueError(f"{folder}: no utterance can be used: {first}")
    if all(row == f"{name} 0.0 -1" for name, row in tables["segments"].items()):
        del tables["segments"]
    if not any(tables["text"].values()):
        del tables["text"]
    write_data_folder(folder, tables)
    write_skips(skips, folder / "skipped.tsv")
    return len(tables["utt2spk"]), skips


def _locate(recording: Recording, path: Path) -> str:
    """The entry of a recording in wav.scp; audio that is in no file is written."""
    source = recording.source
    if isinstance(source, Pipe):
        return source
    if isinstance(source, Path):
        if not source.is_file():
            raise FileNotFoundError("no such audio file")
        found = str(source.absolute())
        if re.search(rf"[|\s]$|\n|{LINE_ENDS.pattern}", found):
            raise ValueError(f"expected a path for wav.scp, found {found!r}; rename it")
        return found
    sound = read_sound(source, check_rate)
    if not len(sound.samples):
        raise ValueError("no sample could be decoded")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_speech(path, to_mono(sound.samples)[0], sound.rate)
    return str(path.absolute())


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_tables, "source out", argv)


if __name__ == "__main__":
    main()
