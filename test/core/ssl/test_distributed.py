"""Two gloo processes hold equal codebooks and teachers, those of the joined batch."""

import pytest
import torch
import torch.distributed as dist
from factories import NUM_MELS, make_pretraining, masked_loss
from torch.nn.parallel import DistributedDataParallel

STEPS, ACCUMULATE, VIEWS = 3, 2, 2


# With own_ffn the last norm has no gradient, without the decoder's loss.
MODES = {
    "": {},
    "visible_only": dict(visible_only=True),
    "own_ffn": dict(heads="own_ffn"),
}


def make_model(mode):
    torch.manual_seed(0)
    return make_pretraining(num_views=VIEWS, **MODES[mode])


def make_data():
    """(2, 20, F) frames per step, micro-batch and rank; masks per view: 8 each."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(STEPS, ACCUMULATE, 2, 2, 20, NUM_MELS, generator=generator)
    mask = torch.rand(STEPS, ACCUMULATE, VIEWS, 2, 2, 20, generator=generator)
    return x, mask.argsort(-1).argsort(-1) < 8


def train(model, x, mask, wrapped=None):
    """Run (steps, micro-batches, B, T) data."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for frames, masks in zip(x, mask):
        optimizer.zero_grad()
        for micro, micro_mask in zip(frames, masks):
            (masked_loss(model, micro, micro_mask, wrapped) / ACCUMULATE).backward()
        optimizer.step()


def work(rank, folder, mode):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    model = make_model(mode)
    wrapped = DistributedDataParallel(model, find_unused_parameters=mode == "own_ffn")
    x, mask = make_data()
    train(model, x[:, :, rank], mask[:, :, :, rank].flatten(2, 3), wrapped)
    torch.save(model.state_dict(), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module", params=MODES)
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def states(tmp_path_factory, mode):
    folder = tmp_path_factory.mktemp("ddp")
    torch.multiprocessing.spawn(work, args=(str(folder), mode), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def followers(state):
    parts = ("codebooks.", "teacher.")
    return {k: v for k, v in state.items() if any(p in k for p in parts)}


def test_processes_hold_equal_codebooks_and_teachers(states):
    first, second = (followers(state) for state in states)
    assert first
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert int(first["dinosr.teacher.num_updates"]) == STEPS


def test_processes_equal_one_with_the_joined_batch(states, mode):
    model = make_model(mode)
    x, mask = make_data()
    train(model, x.flatten(2, 3), mask.flatten(3, 4).flatten(2, 3))
    for name, value in model.state_dict().items():
        if "usage" not in name:
            torch.testing.assert_close(
                states[0][name], value, atol=1e-4, rtol=1e-4, msg=name
            )
