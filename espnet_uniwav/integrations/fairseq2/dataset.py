"""Recordings of pre-training, by fairseq2's data pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from fairseq2.data.data_pipeline import DataPipeline, read_sequence
from fairseq2.datasets import DataPipelineReader, DataReader, SequenceBatch, SyncMode
from fairseq2.gang import Gangs
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.io.source import Source

DATASET = "uniwav_speech"


@dataclass(kw_only=True)
class SpeechDatasetConfig:
    """Where the recordings are.

    Attributes:
        wav_scp: Split -> table of recordings, as ESPnet's recipes write it.
    """

    wav_scp: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SpeechReading:
    """How recordings become batches.

    Attributes:
        sample_rate: Of the features (Hz); recordings are resampled to it.
        max_seconds: A batch is complete when it holds this much audio, or more.
        shuffle: Draw the order of the recordings anew in every epoch.
        seed: Of the order.
        num_accumulate: Batches of one optimiser step.
        num_prefetch: Batches that are read ahead.
    """

    sample_rate: int
    max_seconds: float
    shuffle: bool
    seed: int
    num_accumulate: int = 1
    num_prefetch: int = 4


class SpeechDataset:
    """Splits of recordings without labels.

    Args:
        config: Where they are.
    """

    def __init__(self, config: SpeechDatasetConfig):
        self.tables = dict(config.wav_scp)

    def create_reader(
        self, split: str, gangs: Gangs, reading: SpeechReading, sync_mode: SyncMode
    ) -> DataReader[SequenceBatch]:
        """Batches of (B, S) samples, zero at padding.

        Raises:
            ValueError: If there is no such split, or its table is broken.
            FileNotFoundError: If its table is missing.
        """
        if split not in self.tables:
            raise ValueError(
                f"dataset: expected one of {sorted(self.tables)}, found {split}: name "
                "its table in dataset.config_overrides.wav_scp"
            )
        paths = [utterance.path for utterance in read_data_folder(self.tables[split])]
        pipeline = _build(paths, gangs, reading)
        return DataPipelineReader[SequenceBatch](
            pipeline,
            gangs,
            num_accumulate=reading.num_accumulate,
            drop_remainder=False,
            sync=True,
            sync_mode=sync_mode,
        )


def _build(paths: list[Source], gangs: Gangs, reading: SpeechReading):
    """Order, share among processes, batch, read, pad."""
    builder = read_sequence(list(range(len(paths))))
    if reading.shuffle:
        builder = builder.shuffle(0, reading.seed)
    if gangs.dp.size > 1:
        builder = builder.shard(gangs.dp.rank, gangs.dp.size, allow_uneven=True)
    batches: DataPipeline = (
        builder.dynamic_bucket(
            reading.max_seconds, lambda i: seconds_of(paths[i]), drop_remainder=False
        )
        .map(partial(_read, paths, reading.sample_rate))
        .prefetch(reading.num_prefetch)
        .and_return()
    )
    return batches


def _read(paths: list[Source], sample_rate: int, batch: list[int]):
    speech = [torch.from_numpy(read_speech(paths[i], sample_rate)) for i in batch]
    lengths = [len(samples) for samples in speech]
    return SequenceBatch(pad_sequence(speech, batch_first=True), lengths)
