"""Recordings of Kaldi data folders as a dataset of ESPnet3.

A configuration names this module in ``data_src``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from espnet3.components.data.base_dataset import BaseDataset
from espnet3.contract import Field
from espnet3.contract.kinds import Audio

from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import read_data_folder


class Dataset(BaseDataset):
    """Speech without labels.

    Args:
        wav_scp: Table of recordings, see ``read_data_folder``.
        sample_rate: Of the features (Hz); recordings are resampled to it.
        names: Add the name of the utterance, for inference.

    Raises:
        FileNotFoundError, ValueError: As of ``read_data_folder``.
    """

    fields = (
        Field("speech", "audio", options={"sample_rate": 16000}),
        Field("utt_id", "text", optional=True),
    )

    def __init__(
        self, wav_scp: str | Path, sample_rate: int = 16000, names: bool = False
    ):
        self.utterances = read_data_folder(wav_scp)
        self.sample_rate = sample_rate
        self.names = names

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> dict[str, np.ndarray | Audio | str]:
        """Samples (S,); errors as of ``read_speech``."""
        utterance = self.utterances[index]
        speech = read_speech(utterance.path, self.sample_rate)
        if not self.names:
            return {"speech": speech}
        return {"speech": Audio(speech, self.sample_rate), "utt_id": utterance.name}

    def num_samples(self, index: int) -> int:
        """Length of a recording, from its header."""
        return round(seconds_of(self.utterances[index].path) * self.sample_rate)
