"""The layer between the recipe and S3PRL."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.lab.superb.cached_upstream import CachedUpstream, StateCache
from espnet_uniwav.lab.superb.harness import LibriPhoneDataset


class Upstream(nn.Module):
    """Two states of frames of 10 samples; counts what it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def get_downsample_rates(self, key):
        return 10

    def forward(self, wavs):
        self.asked += [len(wav) for wav in wavs]
        frames = [wav.unflatten(0, (-1, 10)) for wav in wavs]
        x = pad_sequence(frames, batch_first=True)
        return {"hidden_states": [x, x**2]}


def wavs(*lengths):
    return [torch.randn(length) for length in lengths]


def test_kept_states_are_those_of_the_upstream():
    batch, upstream = wavs(50, 30, 40), Upstream()
    model = CachedUpstream(upstream, StateCache(1e6))
    expected = upstream(batch)["hidden_states"]
    for _ in range(2):
        found = model(batch)["hidden_states"]
        assert all(map(torch.equal, found, expected))
    assert upstream.asked == [50, 30, 40, 50, 30, 40]
    assert model.get_downsample_rates("hidden_states") == 10


def test_a_full_cache_asks_again():
    batch, upstream = wavs(50, 30), Upstream()
    model = CachedUpstream(upstream, StateCache(2 * 50 * 4))
    model(batch)
    found = model(batch)["hidden_states"]
    assert upstream.asked == [50, 30, 30]
    assert torch.equal(found[0], upstream(batch)["hidden_states"][0])
    assert model.cache.bytes == 400


class Tokenizer:
    def encode(self, line):
        return line.split()


def test_phone_buckets_are_neighbours_in_length(tmp_path):
    rows = ["wav_path,transcription", *(f"{i}.wav,{'A ' * i}B" for i in range(5))]
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "lexicon.txt").write_text("A AH\nA EY\nB B IY\n")
    make = LibriPhoneDataset
    rest = dict(csv_dir=tmp_path, lexicon=[tmp_path / "lexicon.txt"], num_workers=0)
    data = make("train.csv", Tokenizer(), 2, **rest)
    assert len(data) == 5
    assert data[0] == [
        ("4.wav", ["AH"] * 4 + ["B", "IY"]),
        ("3.wav", ["AH"] * 3 + ["B", "IY"]),
    ]
    assert [path for path, _ in data[4]] == ["1.wav", "0.wav"]
    single = make("train.csv", Tokenizer(), 1, **rest)
    assert single[4] == ("0.wav", ["B", "IY"])
    assert len(make("train.csv", Tokenizer(), 9, **rest)[3]) == 5
