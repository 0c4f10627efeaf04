"""ESPnet's trainer gives the losses that fairseq2's recipe is compared with."""

import json

import pretraining_case as case
import pytest
import torch
import torch.distributed as dist
from espnet2.tasks.ssl import SSLTask
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer
from espnet_case import make_args
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav import plugin
from espnet_uniwav.integrations.espnet.experiment import espnet_prefixes
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.kaldi import read_table


def build(tmp_path):
    """ESPnet's arguments, and its model with the weights of ours."""
    c = case.CONFIG
    features = {k: v for k, v in c.features.items() if k not in ("name", "sample_rate")}
    args = make_args(
        tmp_path,
        frontend_conf=dict(fs="16k", features_conf=features),
        encoder_conf=c.encoder,
        loss=[
            dict(name="dinosr", conf=c.dinosr),
            dict(name="flow_matching", conf=dict(decoder=c.decoder)),
        ],
        util=[dict(name="span_mask", conf=c.span_mask)],
        grad_clip=case.CLIP,
    )
    model = SSLTask.build_model(args)
    weights = {
        theirs + name.removeprefix(ours): value
        for name, value in case.make_model().state_dict().items()
        for ours, theirs in espnet_prefixes(vars(args)).items()
        if name.startswith(ours)
    }
    missing, extra = model.load_state_dict(
        {**model.state_dict(), **weights}, strict=False
    )
    assert not missing and not extra
    return args, model


def batches(folder, rank, size):
    """Pairs of the recordings that one of the processes reads, in order."""
    speech = [
        torch.from_numpy(read_speech(path, 16000))
        for path in read_table(case.write_recordings(folder)).values()
    ][rank::size]
    for pair in zip(speech[::2], speech[1::2]):
        lengths = torch.tensor([len(samples) for samples in pair])
        yield ["a", "b"], dict(speech=pad_sequence(pair, True), speech_lengths=lengths)


def train(folder, rank=0, size=1):
    """Losses of every step, by ESPnet's trainer."""
    args, model = build(folder)
    case.seed_first_step(model, model.losses[0].objective.codebooks, rank)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=case.LR, betas=case.BETAS, weight_decay=0.01
    )
    reporter = Reporter()
    reporter.set_epoch(1)
    with reporter.observe("train") as observed:
        Trainer.train_one_epoch(
            model=model if size == 1 else DistributedDataParallel(model),
            iterator=size * list(batches(folder, rank, size)),
            optimizers=[optimizer],
            schedulers=[None],
            scaler=None,
            reporter=observed,
            summary_writer=None,
            options=Trainer.build_options(args),
            distributed_option=DistributedOption(distributed=size > 1),
        )
        return [float(step.value) for step in observed.stats["loss"]]


def work(rank, folder):
    """One of two processes, which know nothing of ``conftest.py``."""
    plugin.register()
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    (folder / str(rank)).mkdir()
    losses = train(folder / str(rank), rank, 2)
    (folder / f"{rank}.json").write_text(json.dumps(losses))
    dist.destroy_process_group()


def test_losses_of_ten_steps(tmp_path):
    assert train(tmp_path) == pytest.approx(case.recorded(1), rel=1e-5)


@pytest.mark.integration
def test_losses_of_ten_steps_in_two_processes(tmp_path):
    torch.multiprocessing.spawn(work, args=(tmp_path,), nprocs=2)
    for rank in (0, 1):
        losses = json.loads((tmp_path / f"{rank}.json").read_text())
        assert losses == pytest.approx(case.recorded(2), rel=1e-5)
