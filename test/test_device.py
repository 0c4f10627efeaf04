"""What runs on a GPU, on a device that pretends to be one."""

import pytest
import torch
from factories import (
    DIM,
    NUM_MELS,
    POSITIONS,
    dinosr_batch,
    flow_batch,
    make_config,
    make_encoder,
    make_features,
    make_flow_matching,
    make_model,
    make_pretraining,
    make_synthesizer,
)
from pretend_gpu import DEVICE, PretendGPU
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
)

from espnet_uniwav.apps.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.batch import Batch
from espnet_uniwav.apps.tts.distillation import Teacher
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.nn.masks import lengths_to_padding_mask
from espnet_uniwav.core.nn.transformer import TransformerLayer
from espnet_uniwav.core.ssl.mask import SpanMask
from espnet_uniwav.core.ssl.perturb import Perturb

B, T, L, F = 2, 20, 5, NUM_MELS
ORDER = pytest.mark.parametrize("position", POSITIONS)


def lengths(*values):
    """(B,) on the device."""
    return torch.stack([torch.full((), value, device=DEVICE) for value in values])


def frames(width=F):
    return torch.randn(B, T, width, device=DEVICE)


def padding():
    return lengths_to_padding_mask(lengths(T, T - 4), T)


def on_device(tensors):
    return {tensor.device.type for tensor in tensors} == {DEVICE}


def test_a_tensor_of_the_cpu_is_noticed():
    with PretendGPU(), pytest.raises(RuntimeError, match="device"):
        frames() + torch.ones(F)


def test_waiting_is_noticed():
    with PretendGPU() as gpu:
        frames().cpu()
        frames().new_tensor(1.0)
        with pytest.raises(DataDependentOutputException):
            frames().sum().item()
        with pytest.raises(DynamicOutputShapeException):
            frames()[frames() > 0]
    assert gpu.found == ["lazy to cpu", "cpu to lazy"]


def test_features_wait_for_nothing():
    """Without Griffin-Lim: ``torch.istft`` compares its window on the CPU."""
    features = make_features(mean=[0.5] * F, std=[2.0] * F)
    features.use_vocoder(lambda x: x.flatten(1))
    with PretendGPU() as gpu:
        gpu.send(features)
        speech = torch.randn(B, 6400, device=DEVICE)
        x, number = features.extract(speech, lengths(6400, 5000))
        y, samples = features.invert(x, number)
        raw = features.denormalise(x)
        assert x.shape == raw.shape == (B, T, F)
        assert on_device([x, y, raw, number, samples]) and not gpu.found


@ORDER
def test_an_encoder_waits_for_nothing(position):
    encoder = make_encoder(position=position, visible_only=True)
    with PretendGPU() as gpu:
        gpu.send(encoder)
        mask = SpanMask(exact=True)(lengths(T, T - 4), T)
        x = encoder.embed(frames())
        states = encoder(x, padding(), mask, visible=(3, 4))
        sum(state.sum() for state in states).backward()
        assert on_device(p.grad for p in encoder.parameters()) and not gpu.found


def test_masks_and_perturbations_wait_for_nothing():
    with PretendGPU() as gpu:
        perturbed = Perturb(0.2, 0.2).train()(frames())
        masks = [SpanMask(exact=e)(lengths(T, 9), T) for e in (False, True)]
        assert on_device([perturbed, *masks]) and not gpu.found


@pytest.mark.parametrize("heads", ("last", "own_ffn"))
@pytest.mark.parametrize("visible_only", (False, True))
def test_clustering_waits_for_nothing(visible_only, heads):
    model = make_pretraining(visible_only, heads=heads)
    with PretendGPU() as gpu:
        gpu.send(model)
        embedded = model.encoder.embed(frames())
        masked = torch.zeros(9, dtype=torch.long, device=DEVICE)
        states, ffn = model.encoder.outputs(embedded, padding(), num_ffn=2)
        batch = dinosr_batch(embedded, states, padding(), masked, ffn)
        loss, stats = model.dinosr(batch)
        loss.backward()
        model.after_optimizer_step()
        assert on_device([loss, *stats.values()]) and not gpu.found


def test_all_frames_of_an_unpadded_batch_count_without_waiting():
    model = make_pretraining(unmasked_weight=1.0)
    with PretendGPU() as gpu:
        gpu.send(model)
        embedded = model.encoder.embed(frames())
        masked = torch.zeros(9, dtype=torch.long, device=DEVICE)
        batch = dinosr_batch(embedded, model.encoder(embedded), None, masked)
        model.dinosr(batch)[0].backward()
        assert not gpu.found


@pytest.mark.parametrize("kept_frames", ("data", "path"))
def test_flow_matching_waits_for_nothing(kept_frames):
    objective = make_flow_matching(kept_frames=kept_frames)
    objective.decoder.precondition._is_fitted = True  # the first batch waits
    with PretendGPU() as gpu:
        gpu.send(objective)
        states = [frames(DIM) for _ in objective.weighted_sum.logits]
        loss, _ = objective(flow_batch(frames(), states, padding(), padding()))
        loss.backward()
        assert on_device([loss]) and not gpu.found


@pytest.mark.parametrize("method", ("euler", "midpoint", "heun"))
def test_sampling_waits_for_nothing(method):
    model = make_model()
    with PretendGPU() as gpu:
        gpu.send(model)
        sampling = Sampling(2, method, guidance_scale=0.5)
        mask = frames()[..., 0] > 0
        x = model.generate(frames(), mask, frames(DIM), padding(), sampling)
        assert on_device([x]) and not gpu.found


def spoken():
    tokens = torch.zeros(B, L, dtype=torch.long, device=DEVICE)
    text = tokens, lengths(L, L - 1), tokens + 4
    return Batch(*text, frames(), lengths(T, T - 4))


def test_training_to_speak_waits_for_nothing():
    synthesizer = make_synthesizer().train()
    synthesizer.uniwav.decoder.precondition._is_fitted = True
    with PretendGPU() as gpu:
        gpu.send(synthesizer)
        loss, stats = synthesizer(spoken())
        loss.backward()
        assert on_device([loss, *stats.values()]) and not gpu.found


def test_distillation_waits_for_nothing():
    model, student = make_synthesizer(), make_synthesizer()
    teacher = Teacher(model, Sampling(4, "euler", guidance_scale=0.5), 2)
    with PretendGPU() as gpu:
        gpu.send(model)
        gpu.send(student)
        loss, stats = teacher.loss(student, spoken())
        loss.backward()
        assert on_device([loss, *stats.values()]) and not gpu.found


@pytest.mark.parametrize("layer", (2, "features"))
def test_training_a_tokenizer_waits_for_nothing(layer):
    model = UniWavTokenizer.from_config(
        make_config(tokenizer=dict(layer=layer, num_codebooks=2, codebook_size=8))
    )
    model.train().uniwav.decoder.precondition._is_fitted = True
    with PretendGPU() as gpu:
        gpu.send(model)
        loss, stats = model(frames(), lengths(T, T - 4))
        loss.backward()
        assert on_device([loss, *stats.values()]) and not gpu.found


@ORDER
def test_a_layer_compiles_as_one_graph(position):
    torch._dynamo.reset()
    encoder = make_encoder(position=position)
    x = torch.randn(B, T, DIM)
    mask = lengths_to_padding_mask(torch.tensor([T, T - 4]), T)
    x, order = encoder.transformer.positions(x, mask)
    layer = encoder.transformer.layers[0]
    compiled = torch.compile(layer, backend="eager", fullgraph=True, dynamic=True)
    for ours, plain in zip(compiled(x, order), layer(x, order)):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("norm_first", (False, True))
@pytest.mark.parametrize("checkpointing", (False, True))
def test_a_layer_in_training_compiles_as_one_graph(norm_first, checkpointing):
    torch._dynamo.reset()
    layer = TransformerLayer(DIM, 4, 48, norm_first, dropout=0.1).train()
    layer.checkpointing = checkpointing
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    x, order = make_encoder().transformer.positions(torch.randn(B, T, DIM), None)
    with torch.autocast("cpu", torch.bfloat16):
        compiled(x, order)[0].sum().backward()
    assert layer.fc1.weight.grad.isfinite().all()
