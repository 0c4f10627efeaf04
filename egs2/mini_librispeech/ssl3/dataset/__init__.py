"""Mini LibriSpeech, downloaded or from a copy."""

from __future__ import annotations

from pathlib import Path

from espnet3.components.data import dataset_builder

from espnet_uniwav.integrations.espnet3.dataset import Dataset
from espnet_uniwav.lab.corpora import librispeech, prepare

__all__ = ["Dataset", "DatasetBuilder"]


class DatasetBuilder(dataset_builder.DatasetBuilder):
    """Writes the data folders train, dev and test.

    Every method takes ``create_dataset`` of the training configuration:

    Args:
        corpus: Corpus folder to write, which the other recipes use too.
        data: Data folders to write.
        downloads: Folder for downloads.
        source: LibriSpeech on the disk; empty: download it.
    """

    def is_source_prepared(self, corpus: str, **others) -> bool:
        return (Path(corpus) / librispeech.TABLE).is_file()

    def prepare_source(
        self, corpus: str, downloads: str, source: str | None = None, **others
    ) -> None:
        options = ["--librispeech", source] if source else []
        librispeech.main([corpus, "--downloads", downloads, *options])

    def is_built(self, data: str, **others) -> bool:
        return (Path(data) / "token_list").is_file()

    def build(self, corpus: str, data: str, **others) -> None:
        prepare.build(Path(corpus), Path(data))
