"""Lays utterances with texts out for S3PRL's `ctc` (PR) and `asr` experts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from espnet_uniwav.apps.phones.g2p import spell
from espnet_uniwav.apps.phones.lexicon import read_dictionary
from espnet_uniwav.io.tables import write_csv
from espnet_uniwav.lab.corpora.transcripts import SPLITS
from espnet_uniwav.lab.superb.utterances import (
    SuperbUtterance,
    describe,
    link,
    safe_name,
    write_lines,
    write_utterances,
)

# S3PRL's ASR keeps its best model only for a split of the name dev-clean.
LIBRI = {"train": "train-clean-100", "dev": "dev-clean", "test": "test-clean"}
SAMPLES_PER_LENGTH = 160


def write_pr(utterances: list[SuperbUtterance], out: Path) -> str:
    """Write tables, lexicon and phone inventory for phone recognition.

    Args:
        utterances: Of all splits; those without a text are left out.
        out: The task's folder.

    Returns:
        What was done, for the user.
    """
    texts = _with_text(utterances, "pr")
    words = Counter(word for item in texts for word in item.text.split())
    phones, guessed = pronounce(words)
    kept = [item for item in texts if all(w in phones for w in item.text.split())]
    _check_splits(kept, "pr")
    for split in SPLITS:
        rows = [
            {"wav_path": link(item, out / "wav"), "transcription": item.text}
            for item in kept
            if item.split == split
        ]
        write_csv(out / f"{split}.csv", rows)
    lines = {word: f"{word} {' '.join(phones[word])}" for word in sorted(phones)}
    write_lines(out / "lexicon.txt", lines.values())
    write_lines(out / "guessed.txt", (lines[word] for word in lines if word in guessed))
    write_lines(out / "phones.txt", sorted({p for own in phones.values() for p in own}))
    write_utterances(kept, out)
    return (
        f"{describe(kept)}; {len(guessed)} of {len(words)} words are not in the "
        f"dictionary, and guessed ({out / 'guessed.txt'}); "
        f"{len(texts) - len(kept)} utterances left out for words that cannot be"
    )


def pronounce(words: Counter[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Look upper-case words up in PocketSphinx's dictionary, or guess by g2p_en.

    The phones are the 39 of ARPAbet without stress; of several pronunciations the first
    is taken, as S3PRL does. A word that is known without its apostrophe is guessed to
    have the same phones.

    Returns:
        Phones of all words that have some, and which words are guessed.
    """
    known, phones, guessed = read_dictionary(), {}, set()
    for word in words:
        letters = word.replace("'", "").lower()
        if found := known.get(word.lower()):
            phones[word] = found.split()
        elif re.fullmatch("[a-z]+", letters):
            if found := known.get(letters, "").split() or list(spell(letters)):
                phones[word] = found
                guessed.add(word)
    return phones, guessed


def write_asr(utterances: list[SuperbUtterance], out: Path) -> str:
    """Write a LibriSpeech tree, bucket files and a character dictionary."""
    texts = _with_text(utterances, "asr")
    _check_splits(texts, "asr")
    (out / "len_for_bucket").mkdir(parents=True)
    for split in SPLITS:
        rows = _write_libri(
            [u for u in texts if u.split == split], out / "LibriSpeech", LIBRI[split]
        )
        write_csv(out / "len_for_bucket" / f"{LIBRI[split]}.csv", rows)
    letters = Counter(c for item in texts for c in f"{item.text} ".replace(" ", "|"))
    write_lines(out / "characters.dict", (f"{c} {n}" for c, n in letters.most_common()))
    write_utterances(texts, out)
    return describe(texts)


def _write_libri(items: list[SuperbUtterance], root: Path, split: str) -> list[dict]:
    """Link audio as SPLIT/SPEAKER/0/NAME; returns path and length (10 ms) of each."""
    rows, texts = [], defaultdict(list)
    for item in items:
        folder = root / split / safe_name(item.speaker) / "0"
        path = link(item, folder).relative_to(root.absolute())
        length = item.samples // SAMPLES_PER_LENGTH
        rows.append({"file_path": path, "length": length})
        texts[folder].append(f"{item.name} {item.text}")
    for folder, lines in texts.items():
        write_lines(folder / f"{folder.parent.name}-0.trans.txt", lines)
    return rows


def _with_text(utterances: list[SuperbUtterance], task: str) -> list[SuperbUtterance]:
    texts = [item for item in utterances if item.text]
    if not texts:
        raise ValueError(
            f"task {task}: none of {len(utterances)} utterances has a usable text "
            "(letters, no digits): give a corpus with transcripts, or leave "
            f"{task} out of --tasks"
        )
    return texts


def _check_splits(items: list[SuperbUtterance], task: str) -> None:
    found = {item.split for item in items}
    if missing := [split for split in SPLITS if split not in found]:
        raise ValueError(
            f"task {task}: expected texts in every split, found none in {missing[0]} "
            f"({describe(items)}): give a corpus with texts there"
        )
