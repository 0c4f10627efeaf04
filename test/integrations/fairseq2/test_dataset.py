"""Batches: shared among processes, in a new order in every epoch, resumed."""

from dataclasses import replace

import pytest

pytest.importorskip("fairseq2.models")

import pretraining_case as case  # noqa: E402
from fairseq2.datasets import SyncMode  # noqa: E402
from fairseq2.device import CPU  # noqa: E402
from fairseq2.gang import FakeGang, create_fake_gangs  # noqa: E402

from espnet_uniwav.integrations.fairseq2.dataset import (  # noqa: E402
    SpeechDataset,
    SpeechDatasetConfig,
    SpeechReading,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    wav_scp = case.write_recordings(tmp_path_factory.mktemp("dataset"))
    return SpeechDataset(SpeechDatasetConfig(wav_scp={"train": str(wav_scp)}))


def open_reader(dataset, rank=0, size=1):
    gang = FakeGang(CPU, rank=rank, size=size)
    gangs = replace(create_fake_gangs(CPU), root=gang, dp=gang)
    reading = SpeechReading(
        sample_rate=16000, max_seconds=case.SECONDS, shuffle=True, seed=1
    )
    return dataset.create_reader("train", gangs, reading, SyncMode.UNTIL_LAST)


def rest(reader):
    """Lengths in the batches up to the end of the epoch; they tell the recordings."""
    found = [batch.seq_lens for (batch,) in reader]
    reader.reset()
    return found


def recordings(batches):
    return sorted(length for batch in batches for length in batch)


def test_every_epoch_has_all_recordings_in_a_new_order(dataset):
    reader = open_reader(dataset)
    first, second = rest(reader), rest(reader)
    assert recordings(first) == [6400 + 97 * i for i in range(2 * case.STEPS)]
    assert recordings(second) == recordings(first)
    assert second != first


def test_processes_share_the_recordings(dataset):
    shares = [recordings(rest(open_reader(dataset, rank, 2))) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1]) == case.STEPS
    assert sorted(sum(shares, [])) == recordings(rest(open_reader(dataset)))


@pytest.mark.parametrize("size", [1, 2])
def test_a_resumed_reader_goes_on_with_the_same_batches(dataset, size):
    reader, again = (open_reader(dataset, size - 1, size) for _ in range(2))
    rest(reader)
    for _ in range(2):
        next(reader)
    again.load_state_dict(reader.state_dict())
    for _ in range(2):  # this epoch and the next one
        expected = rest(reader)
        assert len(expected) > 1 and rest(again) == expected
