"""Replaces `s3prl.downstream.ctc.corpus.libriphone`, which no S3PRL wheel contains.

The same interface and the same tables (csv_dir/SPLIT.csv with wav_path and
transcription, lexicon files), so that the layout also serves a checkout of S3PRL.
"""

from __future__ import annotations

from pathlib import Path

from torch.utils.data import Dataset

from espnet_uniwav.io.input import fields, read_lines
from espnet_uniwav.io.tables import read_rows


class LibriPhoneDataset(Dataset):
    """Audio paths and phone ids, the longest phone sequence first.

    With a bucket size above one, item `i` is the bucket that starts at `i`, so that
    an epoch has as many buckets as there are utterances, as in S3PRL.
    """

    def __init__(self, split_csv, tokenizer, bucket_size, lexicon, csv_dir, **unused):
        self.bucket_size = bucket_size
        sounds = {}
        for path in lexicon:
            for line in read_lines(path):
                word, *phones = fields(line)
                sounds.setdefault(word, phones)
        items = [
            (
                row["wav_path"],
                tokenizer.encode(
                    " ".join(p for w in row["transcription"].split() for p in sounds[w])
                ),
            )
            for _, row in read_rows(Path(csv_dir) / split_csv)[1]
        ]
        self.items = sorted(items, key=lambda item: len(item[1]), reverse=True)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int):
        if self.bucket_size <= 1:
            return self.items[index]
        start = max(0, min(index, len(self.items) - self.bucket_size))
        return self.items[start : start + self.bucket_size]
