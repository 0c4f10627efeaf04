"""The model that the recipe trains, without fairseq2."""

from dataclasses import replace

import pretraining_case as case
import pytest
import torch
from torch import nn

from espnet_uniwav.integrations.fairseq2.pretraining import (
    create_pretraining,
    freeze,
    stat_names,
)


@pytest.mark.parametrize("bf16", [False, True])
def test_bf16_leaves_targets_codebooks_and_loss_in_fp32(speech, bf16):
    model = create_pretraining(replace(case.CONFIG, bf16=bf16))
    kinds = {}
    parts = dict(
        student=model.encoder.input_projection,
        targets=model.dinosr.teacher,
    )
    for name, part in parts.items():
        part.register_forward_hook(
            lambda part, inputs, output, name=name: kinds.update({name: output.dtype})
        )
    loss, _, _ = model(*speech)
    loss.backward()
    assert kinds["student"] == (torch.bfloat16 if bf16 else torch.float32)
    assert kinds["targets"] == loss.dtype == torch.float32
    assert model.dinosr.codebooks.pending_sum.dtype == torch.float32
    assert model.encoder.input_projection.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("heads", ["last", "own_ffn", "own_state"])
def test_heads_read_their_own_layers(speech, heads):
    """The last norm is in the loss, unless the heads read FFN outputs alone."""
    dinosr = {**case.CONFIG.dinosr, "heads": heads}
    model = create_pretraining(
        replace(case.CONFIG, dinosr=dinosr, decoder=None, num_views=2)
    )
    loss, _, _ = model(*speech)
    loss.backward()
    last = model.encoder.transformer.layers[-1]
    assert last.fc2.weight.grad.abs().sum() > 0
    assert (last.ffn_norm.weight.grad is None) == (heads == "own_ffn")


def test_layers_of_encoder_decoder_and_teacher_are_compiled(monkeypatch):
    compiled = []
    monkeypatch.setattr(
        nn.Module, "compile", lambda self, **options: compiled.append((self, options))
    )
    model = case.make_model()
    model.compile_layers(dynamic=True)
    teacher = model.dinosr.teacher.network
    networks = model.encoder.transformer, model.flow_matching.decoder, teacher
    expected = {layer for network in networks for layer in network.layers}
    assert {layer for layer, _ in compiled} == expected
    assert all(options == {"dynamic": True} for _, options in compiled)


def test_what_has_no_gradient_is_frozen_and_what_is_reported():
    model = case.make_model().requires_grad_(True)
    freeze(model)
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    teacher = {
        f"dinosr.teacher.{n}" for n, _ in model.dinosr.teacher.named_parameters()
    }
    assert frozen == teacher
    losses = {"loss", "loss_dinosr", "loss_flow_matching"}
    assert set(stat_names(model)) == losses | {"accuracy"}
    alone = create_pretraining(replace(case.CONFIG, dinosr=None))
    assert stat_names(alone) == ["loss", "loss_flow_matching"]
    freeze(alone)


def test_one_loss_at_least():
    with pytest.raises(ValueError, match="dinosr and decoder are both null"):
        create_pretraining(replace(case.CONFIG, dinosr=None, decoder=None))
