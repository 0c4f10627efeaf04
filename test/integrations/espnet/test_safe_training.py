"""Trainings that are killed while they save: they resume, and end as never killed.

``KILLS=5`` kills at every one of the five files that the training writes.
"""

import os
import signal
import traceback
import zipfile
from io import BytesIO
from types import SimpleNamespace

import pytest
import torch
from espnet2.tasks.ssl import SSLTask
from espnet2.train.trainer import Trainer
from espnet_case import make_args
from factories import TRAINING, write_data

from espnet_uniwav.integrations.espnet.safe_training import complete

pytestmark = pytest.mark.integration
# In the order of interest: model and checkpoint of epoch 2, those of 1, the average.
SAVES = (4, 3, 1, 2, 5)[: int(os.environ.get("KILLS", 2))]
CRITERIA = [["valid", "loss", "min"], ["train", "loss", "min"]]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, [16000, 16320, 16640])
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An experiment that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert train(data, folder) == 0
    return folder / "exp"


def train(data, folder, kill_at: int = 0) -> int:
    """Exit status of a training that is killed halfway through its n-th file."""
    lists = {f"{s}_shape_file": [f"{data}/shape"] for s in ("train", "valid")}
    for split in ("train", "valid"):
        table = (f"{data}/wav.scp", "speech", "sound")
        lists[f"{split}_data_path_and_name_and_type"] = [table]
    options = {**TRAINING, "max_epoch": 2, "keep_nbest_models": 2, "resume": True}
    options |= dict(best_model_criterion=CRITERIA, use_matplotlib=False, ngpu=0)
    options |= dict(use_preprocessor=False, num_iters_per_epoch=2)
    args = make_args(folder, **options, **lists)
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        if kill_at:
            torch.save = make_save(kill_at)
        SSLTask.main(args=args)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # never back into the tests


def make_save(kill_at: int):
    """``torch.save`` that kills its process after half of the bytes."""
    stock, number = torch.save, 0

    def save(obj, f):
        nonlocal number
        number += 1
        stock(obj, content := BytesIO())
        file = f if hasattr(f, "write") else open(f, "wb")
        size = len(content.getvalue())
        file.write(content.getvalue()[: size // 2 if number == kill_at else size])
        file.flush()
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return save


def content(exp) -> dict:
    """Links with their targets; models with their tensors."""
    found = {}
    for path in exp.glob("*.pth"):
        state = torch.load(path, weights_only=False)
        state = state.get("model", state)
        target = os.readlink(path) if path.is_symlink() else None
        found[path.name] = target, {k: v.tolist() for k, v in state.items()}
    return found


@pytest.mark.parametrize("kill_at", SAVES)
def test_killed_while_it_saves(data, whole, tmp_path, kill_at):
    exp = tmp_path / "exp"
    assert train(data, tmp_path, kill_at) == -signal.SIGKILL
    assert all(zipfile.is_zipfile(path) for path in exp.glob("*.pth"))
    assert list(exp.glob(".*.partial"))
    assert train(data, tmp_path) == 0
    assert content(exp) == content(whole)
    assert not list(exp.glob(".*.partial"))


def test_what_is_missing_of_the_last_epoch_is_made(whole):
    before, size = content(whole), (whole / "2epoch.pth").stat().st_size
    links = ["latest.pth", "valid.loss.best.pth", "train.loss.best.pth"]
    (whole / links[0]).unlink()
    (whole / links[1]).unlink()
    for path in (whole / links[0], whole / links[2]):
        path.unlink(missing_ok=True)
        path.symlink_to("nothing.pth")
    (whole / "2epoch.pth").unlink()
    complete(whole, CRITERIA)
    assert content(whole) == before
    assert (whole / "2epoch.pth").stat().st_size <= 1.01 * size


def assert_refused(folder):
    options = SimpleNamespace(output_dir=folder, resume=True)
    with pytest.raises(ValueError, match="checkpoint.pth: expected a .* delete it"):
        Trainer.run(
            trainer_options=options,
            distributed_option=SimpleNamespace(distributed=False),
        )


@pytest.mark.parametrize(
    "part", ["none left", "cut off", "data.pkl", "a tensor", "list of files"]
)
def test_a_damaged_checkpoint_is_named(whole, tmp_path, part):
    """A changed byte of a tensor is what torch itself would load without a word."""
    content = bytearray((whole / "checkpoint.pth").read_bytes())
    with zipfile.ZipFile(whole / "checkpoint.pth") as file:
        largest = max(file.infolist(), key=lambda own: own.file_size)
        pickled = next(own for own in file.infolist() if "data.pkl" in own.filename)
        start = {
            "data.pkl": pickled.header_offset + 1000,
            "a tensor": largest.header_offset + largest.file_size // 2,
            "list of files": file.start_dir + 20,
        }
    if part in start:
        content[start[part]] ^= 1
    else:
        content = content[: 0 if part == "none left" else 1000]
    (tmp_path / "checkpoint.pth").write_bytes(content)
    assert_refused(tmp_path)


def test_what_is_no_checkpoint_is_named(tmp_path):
    torch.save({"model": {}}, tmp_path / "checkpoint.pth")
    assert_refused(tmp_path)
