"""Ways to scale that would train our models wrongly are refused, before training."""

import pytest
import torch
from espnet2.tasks.asr import ASRTask
from espnet2.tasks.ssl import SSLTask
from espnet2.tasks.tts import TTSTask
from espnet_case import make_args

TASKS = (ASRTask, SSLTask, TTSTask)
WRONG = {
    "use_deepspeed": True,
    "sharded_ddp": True,
    "ngpu": 2,
    "train_dtype": "bfloat16",
}


@pytest.fixture
def args(tmp_path):
    args = make_args(tmp_path)
    args.distributed = False
    return args


@pytest.fixture(scope="module")
def model():
    from espnet_uniwav.integrations.espnet.ssl_frontend import UniWavFrontend

    return torch.nn.Sequential(UniWavFrontend(), torch.nn.Linear(2, 2))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("option", WRONG)
def test_refused_with_a_reason_and_what_to_do(task, option, args, model):
    setattr(args, option, WRONG[option])
    with pytest.raises(ValueError, match=f"--{option} .*Use --multiprocessing_"):
        task.build_optimizers(args, model=model)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_right_is_built(task, args, model):
    args.ngpu, args.distributed, args.use_amp = 2, True, True
    (optimizer,) = task.build_optimizers(args, model=model)
    assert isinstance(optimizer, torch.optim.AdamW)


def test_models_of_others_are_left_alone(args):
    args.ngpu = 2
    assert len(SSLTask.build_optimizers(args, model=torch.nn.Linear(2, 2))) == 1
