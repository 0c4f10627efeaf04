"""``model: uniwav`` of the ASR task: the warm-up, then the stock model."""

import pytest
import torch
import torch.nn.functional as F
from espnet2.tasks.asr import ASRTask
from espnet_case import asr_conf, parse
from factories import make_config, make_speech

from espnet_uniwav.integrations.espnet.asr import frame_loss

TEXT = torch.tensor([[3, 4], [4, -1]]), torch.tensor([2, 1])


@pytest.fixture
def make_asr(tmp_path):
    def make(**model_conf):
        conf = asr_conf(
            frontend_conf=dict(architecture=make_config(), dropout=0.0),
            model="uniwav",
            model_conf=dict(ctc_weight=1.0, **model_conf),
        )
        args = parse(ASRTask, tmp_path, conf)
        torch.manual_seed(0)
        return ASRTask.build_model(args).train()

    return make


@pytest.fixture
def batch():
    """Two utterances of 25 and 19 frames."""
    return *make_speech([8000, 6000]), *TEXT


def test_frame_loss_closed_form():
    logits = torch.randn(2, 5, 4)
    alignment = torch.tensor([[1, 2, -1, 3, 0, 0], [2, 2, 1, 1, 1, 1]])
    loss = frame_loss(logits, torch.tensor([5, 3]), alignment)
    log_p = F.log_softmax(logits, -1)
    first = log_p[0, 0, 1] + log_p[0, 1, 2] + log_p[0, 3, 3] + log_p[0, 4, 0]
    second = log_p[1, 0, 2] + log_p[1, 1, 2] + log_p[1, 2, 1]
    torch.testing.assert_close(loss, -(first + second) / 2)


def test_frame_loss_of_a_shorter_alignment():
    logits, lengths = torch.randn(1, 5, 4), torch.tensor([5])
    short = frame_loss(logits, lengths, torch.tensor([[1, 1, 1, 1]]))
    marked = frame_loss(logits, lengths, torch.tensor([[1, 1, 1, 1, -1]]))
    torch.testing.assert_close(short, marked)
    with pytest.raises(ValueError, match="has 9 frames, the encoder 5"):
        frame_loss(logits, lengths, torch.zeros(1, 9, dtype=torch.long))


def test_share_of_the_frame_loss_falls_linearly(make_asr, batch):
    model, stock = make_asr(warm_up_steps=2), make_asr(warm_up_steps=0)
    alignment = torch.randint(0, 5, (2, 25))
    ctc = stock(*batch)[0]
    frames, half, alone = (model(*batch, alignment=alignment)[0] for _ in range(3))
    torch.testing.assert_close(half, (frames + ctc) / 2)
    torch.testing.assert_close(alone, ctc)
    encoded, lengths = stock.encode(*batch[:2])
    expected = frame_loss(stock.ctc.ctc_lo(encoded), lengths, alignment)
    torch.testing.assert_close(frames, expected[None])


def test_no_warm_up_in_validation(make_asr, batch):
    model, stock = make_asr(warm_up_steps=5).eval(), make_asr(warm_up_steps=0).eval()
    torch.testing.assert_close(model(*batch)[0], stock(*batch)[0])
    assert model.step == 0


def test_warm_up_needs_its_alignment(make_asr, batch):
    with pytest.raises(RuntimeError, match="alignment,text_int"):
        make_asr(warm_up_steps=1)(*batch)


def test_resumed_warm_up_goes_on(make_asr, batch):
    model, resumed = make_asr(warm_up_steps=3), make_asr(warm_up_steps=3)
    for _ in range(2):
        model(*batch, alignment=torch.zeros(2, 25, dtype=torch.long))
    resumed.load_state_dict(model.state_dict())
    assert resumed.step == 2


def test_warm_up_trains_encoder_and_head(make_asr, batch):
    model = make_asr(warm_up_steps=1)
    model(*batch, alignment=torch.full((2, 25), 3))[0].backward()
    for module in (model.ctc.ctc_lo, model.frontend.encoder.input_projection):
        assert module.weight.grad.abs().sum() > 0


def test_bfloat16_is_used_and_ctc_stays_in_fp32(make_asr, batch):
    model, stock = make_asr(warm_up_steps=0, bf16=True), make_asr(warm_up_steps=0)
    dtypes = []
    for layer in (model.frontend.encoder.transformer.layers[0].fc1, model.ctc.ctc_lo):
        layer.register_forward_hook(lambda m, i, o: dtypes.append(o.dtype))
    loss = model(*batch)[0]
    assert dtypes == [torch.bfloat16, torch.float32] and loss.dtype == torch.float32
    torch.testing.assert_close(loss, stock(*batch)[0], rtol=0.02, atol=0.0)
