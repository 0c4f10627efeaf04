"""Tables of the SSL task as arrays: the same batches in the same order."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

pytest.importorskip("espnet2")
from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet2.fileio.read_text import read_2columns_text  # noqa: E402
from espnet2.iterators.sequence_iter_factory import (  # noqa: E402
    SequenceIterFactory,
)
from espnet2.tasks.ssl import SSLTask  # noqa: E402
from espnet2.train.distributed_utils import DistributedOption  # noqa: E402
from ssl_case import make_args  # noqa: E402

from espnet_uniwav.integrations.espnet.compact_tables import (  # noqa: E402
    Strings,
    Table,
)


def test_strings_are_a_sequence():
    texts = ["", "é", "two words", "é"]
    strings = Strings(texts)
    assert list(strings) == texts and len(strings) == 4
    with pytest.raises(IndexError):
        strings[4]


def test_a_table_is_a_mapping():
    rows = {"b": "x", "a": "", "é\u3000": "/some where/a.wav"}
    table = Table(rows)
    assert dict(table) == rows and len(table) == 3
    for missing in ("", "aa", "z", "\uffff"):
        assert missing not in table


@pytest.fixture
def args(tmp_path):
    """Arguments of a training on 40 short files of different lengths."""
    generator = np.random.default_rng(0)
    wavs, shapes = [], []
    for number, length in enumerate(generator.integers(800, 1600, 40)):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, generator.uniform(-0.1, 0.1, length), 16000)
        wavs.append(f"utt{number * 7 % 40:02d} {path}\n")
        shapes.append(f"utt{number * 7 % 40:02d} {length}\n")
    (tmp_path / "wav.scp").write_text("".join(wavs))
    (tmp_path / "shape").write_text("".join(shapes))
    return make_args(
        tmp_path,
        train_data_path_and_name_and_type=[[f"{tmp_path}/wav.scp", "speech", "sound"]],
        train_shape_file=[f"{tmp_path}/shape"],
        batch_type="numel",
        batch_bins=8000,
        num_iters_per_epoch=3,
        num_workers=0,
    )


def test_batches_are_those_of_the_task(args):
    ours = SSLTask.build_iter_factory(args, DistributedOption(), "train")
    dataset, batches = ours.dataset, ours.sampler.batches
    assert isinstance(dataset.loader_dict["speech"].loader.data, Table)
    assert all(isinstance(batch, Strings) for batch in batches)
    stock = SequenceIterFactory(
        dataset,
        [tuple(batch) for batch in batches],
        num_iters_per_epoch=3,
        seed=args.seed,
        shuffle=True,
        collate_fn=SSLTask.build_collate_fn(args, True),
    )
    for epoch in (1, 2, 7):
        names = [names for names, _ in ours.build_iter(epoch)]
        assert names == [names for names, _ in stock.build_iter(epoch)]
    for name, path in read_2columns_text(
        args.train_data_path_and_name_and_type[0][0]
    ).items():
        speech = dataset[name][1]["speech"]
        np.testing.assert_array_equal(speech, soundfile.read(path, dtype="float32")[0])
