"""Lays utterances with texts out for S3PRL's `ctc` (PR) and `asr` experts.

The splits are called train-clean-100, dev-clean and test-clean because S3PRL's ASR
keeps its best model only for a split of the name dev-clean. They are this corpus'.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from espnet_uniwav.io.input import fields
from espnet_uniwav.io.tables import write_csv
from espnet_uniwav.lab.corpora.transcripts import SPLITS
from espnet_uniwav.lab.superb.folders import link, write_lines, write_utterances
from espnet_uniwav.lab.superb.phones import guess_phones, pronounce, read_lexicon
from espnet_uniwav.lab.superb.utterances import (
    SuperbUtterance,
    safe_name,
)

LIBRI = {"train": "train-clean-100", "dev": "dev-clean", "test": "test-clean"}
SAMPLES_PER_LENGTH = 160


def write_pr(
    utterances: list[SuperbUtterance], out: Path, oov: str = "guess"
) -> list[str]:
    """Writes tables, lexicon and phone inventory for phone recognition.

    Args:
        utterances: of all splits; those without a text are left out.
        out: the task's folder.
        oov: `guess` the phones of words that the lexicon lacks, or `drop` the
            utterances that hold one.

    Returns:
        What was done, in lines for the user.
    """
    texts = _with_text(utterances, "pr")
    words = Counter(word for item in texts for word in item.text.split())
    guess = guess_phones if oov == "guess" else None
    sounds, guessed = pronounce(words, read_lexicon(), guess)
    kept = [item for item in texts if all(w in sounds for w in item.text.split())]
    _check_splits(kept, "pr", "utterances whose words all have phones")
    for split in SPLITS:
        rows = [
            {"wav_path": link(item, out / "wav"), "transcription": item.text}
            for item in kept
            if item.split == split
        ]
        write_csv(out / f"{split}.csv", rows)
    lines = [f"{word} {' '.join(sounds[word])}" for word in sorted(sounds)]
    write_lines(out / "lexicon.txt", lines)
    write_lines(
        out / "guessed.txt", [line for line in lines if fields(line)[0] in guessed]
    )
    phones = sorted({phone for word in sounds for phone in sounds[word]})
    write_lines(out / "phones.txt", phones)
    write_utterances(kept, out)
    unknown = sum(n for w, n in words.items() if w not in sounds or w in guessed)
    return [
        _counts("pr", kept),
        f"pr    {unknown} of {sum(words.values())} words are not in the lexicon; "
        f"{len(guessed)} different ones guessed ({out / 'guessed.txt'}); "
        f"{len(texts) - len(kept)} utterances left out for the others",
    ]


def write_asr(utterances: list[SuperbUtterance], out: Path) -> list[str]:
    """Writes a LibriSpeech tree, bucket files and a character dictionary."""
    texts = _with_text(utterances, "asr")
    _check_splits(texts, "asr", "utterances with a text")
    (out / "len_for_bucket").mkdir(parents=True)
    for split in SPLITS:
        rows = _write_libri(
            [u for u in texts if u.split == split], out / "LibriSpeech", LIBRI[split]
        )
        write_csv(out / "len_for_bucket" / f"{LIBRI[split]}.csv", rows)
    letters = Counter(c for item in texts for c in f"{item.text} ".replace(" ", "|"))
    write_lines(out / "characters.dict", [f"{c} {n}" for c, n in letters.most_common()])
    write_utterances(texts, out)
    return [_counts("asr", texts)]


def _write_libri(items: list[SuperbUtterance], root: Path, split: str) -> list[dict]:
    """Links audio as SPLIT/SPEAKER/0/NAME; returns path and length (10 ms) of each."""
    rows, texts = [], defaultdict(list)
    for item in items:
        folder = root / split / safe_name(item.speaker) / "0"
        path = Path(link(item, folder)).relative_to(root)
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


def _check_splits(items: list[SuperbUtterance], task: str, what: str) -> None:
    have = Counter(item.split for item in items)
    missing = [split for split in SPLITS if not have[split]]
    if missing:
        raise ValueError(
            f"task {task}: split {missing[0]} has no {what} "
            f"(found {dict(have)}): give a corpus with texts in every split"
        )


def _counts(task: str, items: list[SuperbUtterance]) -> str:
    parts = []
    for split in SPLITS:
        part = [item for item in items if item.split == split]
        speakers = len({item.speaker for item in part})
        parts.append(f"{split} {len(part)} utterances of {speakers} speakers")
    return f"{task:5} " + ", ".join(parts)
