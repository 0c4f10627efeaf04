"""Equality with the official DinoSR, recorded on a tiny configuration."""

import json

import numpy as np
import pytest
import torch
from factories import SHARED, dinosr_batch

from espnet_uniwav.core.ssl.dinosr import DinoSR
from espnet_uniwav.core.ssl.encoder import Encoder
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.core.ssl.teacher import EMATeacher

GOLDEN = SHARED / "golden"
pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"no golden vectors: {GOLDEN} is absent"
)
LR = 0.05


def close(found, expected, tolerance=2e-5):
    expected = torch.as_tensor(expected)
    scale = max(float(expected.abs().max()), 1.0)
    torch.testing.assert_close(
        found.detach().float(), expected.float(), atol=tolerance * scale, rtol=1e-5
    )


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN / "dinosr_nopad.npz"))


@pytest.fixture(scope="module")
def config(golden):
    return json.loads(str(golden["meta"]))["cfg"]


def fairseq_transformer(weights, prefix):
    """fairseq's names of one transformer -> ours."""
    own = {}
    for name, value in weights.items():
        if not name.startswith(prefix):
            continue
        name, value = name[len(prefix) :], torch.tensor(value)
        if name.startswith("pos_conv."):
            _, i, _, kind = name.split(".")
            own[f"positions.conv.layers.{i}.{kind}"] = value
        elif name.startswith("layer_norm."):
            own[name.replace("layer_norm", "norm")] = value
        elif name.startswith("layers."):
            for old, new in (
                ("self_attn_layer_norm", "attention_norm"),
                ("self_attn.out_proj", "out"),
                ("final_layer_norm", "ffn_norm"),
            ):
                name = name.replace(old, new)
            own[name] = value
    for key in [k for k in own if "self_attn.q_proj" in k]:
        parts = [own.pop(key.replace("q_proj", f"{p}_proj")) for p in "qkv"]
        own[key.replace("self_attn.q_proj", "qkv")] = torch.cat(parts)
    return own


@pytest.fixture(scope="module")
def models(golden, config):
    """Encoder with an identity projection, and objective, with recorded weights."""
    dim = config["encoder_embed_dim"]
    encoder = Encoder(
        dim,
        config["encoder_layers"],
        dim,
        config["encoder_attention_heads"],
        config["encoder_ffn_embed_dim"],
        position="conv",
        dropout=0.0,
    )
    objective = DinoSR(
        encoder,
        config["average_top_k_layers"],
        config["codebook_size"],
        0.9,
        config["ema_decay"],
        config["ema_end_decay"],
        config["ema_anneal_end_step"],
    )
    student = fairseq_transformer(golden, "w0/encoder.")
    encoder.transformer.load_state_dict(student)
    teacher = fairseq_transformer(golden, "teacher0/")
    objective.teacher.network.load_state_dict(teacher)
    with torch.no_grad():
        encoder.input_projection.weight.copy_(torch.eye(dim))
        encoder.input_projection.bias.zero_()
        encoder.mask_embedding.copy_(torch.tensor(golden["w0/mask_emb"]))
        for kind in ("weight", "bias"):
            heads = [
                torch.tensor(golden[f"w0/heads.{k}.{kind}"])
                for k in range(objective.num_codebooks)
            ]
            getattr(objective.heads, kind).copy_(torch.cat(heads))
        for k in range(objective.num_codebooks):
            books = objective.codebooks
            books.sum[k] = torch.tensor(golden[f"s1/codebook_sum_before/{k}"])
            books.count[k] = torch.tensor(golden[f"s1/count_before/{k}"])
    return encoder, objective


def test_two_steps_of_the_official_code(golden, models):
    encoder, objective = models
    parameters = [*encoder.parameters(), *objective.heads.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=LR)
    for step in ("s1", "s2"):
        check_step(golden, step, encoder, objective, optimizer)
    state = fairseq_transformer(golden, "s2/w_after/encoder.")
    for name, parameter in encoder.transformer.named_parameters():
        close(parameter, state[name])
    close(encoder.mask_embedding, golden["s2/w_after/mask_emb"])


def check_step(golden, step, encoder, objective, optimizer):
    x = torch.tensor(golden[f"{step}/features"])
    mask = torch.tensor(golden[f"{step}/mask"])
    masked = mask.flatten().nonzero().squeeze(1)
    check_forward(golden, step, encoder, objective, x, mask, masked)
    states = encoder(x, None, mask)
    loss, stats = objective(dinosr_batch(x, states, None, masked))
    optimizer.zero_grad()
    loss.backward()
    assert loss.item() == pytest.approx(float(golden[f"{step}/loss"]), rel=1e-5)
    target = torch.stack([stats[f"target_perplexity_{k}"] for k in (0, 1)]).mean()
    assert float(target) == pytest.approx(float(golden[f"{step}/target_ppl"]), rel=1e-4)
    predicted = [stats[f"prediction_perplexity_{k}"] for k in (0, 1)]
    assert float(torch.stack(predicted).mean()) == pytest.approx(
        float(golden[f"{step}/pred_ppl"]), rel=1e-4
    )
    check_gradients(golden, step, encoder, objective)
    optimizer.step()
    decay = float(objective.teacher.decay())
    assert decay == pytest.approx(float(golden[f"{step}/ema_decay"]), rel=1e-6)
    objective.after_optimizer_step(encoder)
    check_followers(golden, step, objective)


def check_forward(golden, step, encoder, objective, x, mask, masked):
    with torch.no_grad():
        states = encoder(x, None, mask)
        for i, state in enumerate(states[1:]):
            close(state, golden[f"{step}/student_layer_out/{i}"])
        close(states[-1], golden[f"{step}/student_out"])
        raw = objective.teacher.network(x)[1][-objective.num_codebooks :]
        targets = objective.teacher(x, None, objective.num_codebooks)
        codes = objective.codebooks.assign(targets.flatten(1, 2)[:, masked])
        logits = objective.heads(states[-1].flatten(0, 1)[masked])
    size = objective.codebook_size
    for k in range(objective.num_codebooks):
        close(raw[k], golden[f"{step}/target_raw/{k}"])
        close(targets[k], golden[f"{step}/target_norm/{k}"], 1e-4)
        assert torch.equal(codes[k], torch.tensor(golden[f"{step}/ids/{k}"]))
        close(logits[:, k * size : (k + 1) * size], golden[f"{step}/logits/{k}"])


def check_gradients(golden, step, encoder, objective):
    gradients = fairseq_transformer(golden, f"{step}/grad/encoder.")
    for name, parameter in encoder.transformer.named_parameters():
        close(parameter.grad, gradients[name])
    close(encoder.mask_embedding.grad, golden[f"{step}/grad/mask_emb"])
    size = objective.codebook_size
    for k in range(objective.num_codebooks):
        rows = slice(k * size, (k + 1) * size)
        heads = objective.heads
        close(heads.weight.grad[rows], golden[f"{step}/grad/heads.{k}.weight"])
        close(heads.bias.grad[rows], golden[f"{step}/grad/heads.{k}.bias"])


def check_followers(golden, step, objective):
    for k in range(objective.num_codebooks):
        close(objective.codebooks.sum[k], golden[f"{step}/codebook_sum_after/{k}"])
        close(objective.codebooks.count[k], golden[f"{step}/count_after/{k}"])
    teacher = fairseq_transformer(golden, f"{step}/teacher_after/")
    for name, parameter in objective.teacher.network.named_parameters():
        close(parameter, teacher[name])


def test_ema_schedule_of_the_published_run():
    schedules = np.load(GOLDEN / "dinosr_schedules.npz")
    transformer = Encoder(4, 1, 4, 1, 4, position="alibi").transformer
    teacher = EMATeacher(transformer, freeze_step=200000)
    for update, decay in zip(schedules["ema_updates"], schedules["ema_decay"]):
        teacher.num_updates.fill_(int(update) - 1)
        assert float(teacher.decay()) == pytest.approx(float(decay), abs=1e-7)


def test_masked_share_of_the_published_run():
    """Ours keeps the rows as they fall; fairseq cuts them to the shortest row."""
    torch.manual_seed(0)
    mask = SpanMask(0.8, 10)(torch.full((200,), 400), 400)
    assert 0.52 < float(mask.float().mean()) < 0.57
