"""Mini LibriSpeech, downloaded or from a copy."""

from __future__ import annotations

from pathlib import Path

from espnet_uniwav.integrations.espnet3 import dataset
from espnet_uniwav.lab.corpora import librispeech

Dataset = dataset.Dataset


class DatasetBuilder(dataset.DatasetBuilder):
    """Takes ``create_dataset`` of the training configuration.

    Args:
        corpus: Corpus folder to write, which the other recipes use too.
        data: Data folders to write.
        downloads: Folder for downloads.
        source: LibriSpeech on the disk; empty: download it.
    """

    def is_source_prepared(self, corpus: str, **others) -> bool:
        return (Path(corpus) / librispeech.TABLE).is_file()

    def prepare_source(
        self, corpus: str, data: str, downloads: str, source: str | None = None
    ) -> None:
        options = ["--librispeech", source] if source else []
        librispeech.main([corpus, "--downloads", downloads, *options])

    def is_built(self, corpus: str, data: str, **others) -> bool:
        return super().is_built(corpus, data)

    def build(self, corpus: str, data: str, **others) -> None:
        super().build(corpus, data)
