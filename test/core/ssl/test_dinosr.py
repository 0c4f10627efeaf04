"""The objective of self-distillation: loss, padding, fp32, statistics, collapse."""

import logging
import math

import pytest
import torch
import torch.nn.functional as F
from factories import DIM, dinosr_batch, make_dinosr, make_encoder

LENGTHS = torch.tensor([11, 25])


@pytest.fixture
def batch():
    """Embedded frames, padding mask and mask of two utterances."""
    padding_mask = torch.arange(25) >= LENGTHS[:, None]
    mask = (torch.rand(2, 25) < 0.5) & ~padding_mask
    return torch.randn(2, 25, DIM), padding_mask, mask


def indices(mask):
    return mask.flatten().nonzero().squeeze(1)


def run(objective, encoder, embedded, padding_mask, mask):
    """Of (B, T, D) frames and (V * B, T) masks of V views."""
    views = len(mask) // len(embedded)
    padding = None if padding_mask is None else padding_mask.repeat(views, 1)
    inputs = embedded.repeat(views, 1, 1)
    states, ffn = encoder.outputs(inputs, padding, mask, num_ffn=objective.num_ffn)
    return objective(dinosr_batch(embedded, states, padding_mask, indices(mask), ffn))


def make_parts(position="rotary", visible_only=False, **conf):
    """An encoder and its objective."""
    encoder = make_encoder(position=position, visible_only=visible_only)
    return encoder, make_dinosr(encoder, **conf)


every_head = pytest.mark.parametrize("heads", ("last", "own_ffn", "own_state"))


@every_head
def test_loss_is_the_mean_cross_entropy_of_all_heads(batch, heads):
    """The top two of three layers have codebooks."""
    encoder, objective = make_parts(heads=heads)
    embedded, padding_mask, mask = batch
    loss, stats = run(objective, encoder, *batch)
    targets = objective.teacher(embedded, padding_mask, 2)
    hidden = torch.where(mask[..., None], encoder.mask_embedding, embedded)
    states, ffn = encoder.transformer(hidden, padding_mask)
    read = dict(last=[states[3]] * 2, own_ffn=ffn[1:], own_state=states[2:])[heads]
    losses, correct = [], []
    for k, student in enumerate(read):
        words = objective.codebooks.codewords[k]
        for frame in indices(mask):
            target = targets[k].flatten(0, 1)[frame]
            code = (target - words).square().sum(-1).argmin()
            rows = slice(16 * k, 16 * k + 16)
            logits = objective.heads(student.flatten(0, 1)[frame])[rows]
            losses.append(F.cross_entropy(logits, code))
            correct.append(float(logits.argmax() == code))
    torch.testing.assert_close(loss, torch.stack(losses).mean())
    assert float(stats["accuracy"]) == pytest.approx(sum(correct) / len(correct))


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_unmasked_frames_count_by_their_weight(batch, weight):
    """And they are the frames that are neither masked nor padding."""
    encoder, objective = make_parts(unmasked_weight=weight)
    embedded, padding_mask, mask = batch
    loss, stats = run(objective, encoder, *batch)
    states = encoder(embedded, padding_mask, mask)
    objective.unmasked_weight = 0.0
    parts = [mask, ~mask & ~padding_mask]
    (on, on_stats), (off, _) = (
        objective(dinosr_batch(embedded, states, padding_mask, indices(part)))
        for part in parts
    )
    numbers = parts[0].sum(), weight * parts[1].sum()
    expected = (on * numbers[0] + off * numbers[1]) / sum(numbers)
    torch.testing.assert_close(loss, expected)
    assert stats["accuracy"] == on_stats["accuracy"]


def views_of(batch, number=3):
    """The batch with several masks, the views below each other."""
    embedded, padding_mask, _ = batch
    mask = (torch.rand(number * 2, 25) < 0.5) & ~padding_mask.repeat(number, 1)
    return embedded, padding_mask, mask


@every_head
@pytest.mark.parametrize("visible_only", (False, True))
@pytest.mark.parametrize("weight", (0.0, 0.5))
def test_loss_of_several_views_is_that_of_each(batch, visible_only, weight, heads):
    encoder, objective = make_parts(
        visible_only=visible_only, unmasked_weight=weight, heads=heads
    )
    embedded, padding_mask, mask = views_of(batch)
    loss, stats = run(objective, encoder, embedded, padding_mask, mask)
    total, number, accuracy = 0.0, 0.0, 0.0
    for own in mask.split(2):
        part, own_stats = run(objective, encoder, embedded, padding_mask, own)
        counts = own.sum() + weight * (~own & ~padding_mask).sum()
        total, number = total + part * counts, number + counts
        accuracy = accuracy + own_stats["accuracy"] * own.sum()
    torch.testing.assert_close(loss, total / number)
    torch.testing.assert_close(stats["accuracy"], accuracy / mask.sum())


def test_a_frame_of_several_views_is_clustered_once(batch):
    encoder, objective = make_parts()
    embedded, padding_mask, mask = views_of(batch)
    run(objective, encoder, embedded, padding_mask, mask)
    collected = objective.codebooks.pending_sum.clone()
    objective.codebooks.pending_sum.zero_()
    objective.codebooks.pending_count.zero_()
    anywhere = mask.view(3, 2, 25).any(0)
    run(objective, encoder, embedded, padding_mask, anywhere)
    torch.testing.assert_close(objective.codebooks.pending_sum, collected)
    assert objective.codebooks.pending_count.sum(1).tolist() == [anywhere.sum()] * 2


def test_the_teacher_reads_every_utterance_once(batch):
    encoder, objective = make_parts()
    seen = []
    objective.teacher.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    embedded, padding_mask, mask = views_of(batch)
    run(objective, encoder, embedded, padding_mask, mask)
    assert len(seen) == 1 and torch.equal(seen[0], embedded)


def test_predictor_fills_gaps_from_their_neighbours(batch):
    """Its input holds one vector in all gaps of an encoder of visible frames."""
    encoder, objective = make_parts(visible_only=True, predictor_layers=2)
    embedded, padding_mask, mask = batch
    states = encoder(embedded, padding_mask, mask)
    assert (states[-1][mask] == states[-1][mask][0]).all()
    filled = objective.predictor(states[-1], padding_mask)
    assert (filled[mask] != filled[mask][0]).any()
    loss, _ = objective(dinosr_batch(embedded, states, padding_mask, indices(mask)))
    loss.backward()
    for name, parameter in objective.predictor.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert encoder.mask_embedding.grad.abs().sum() > 0


@pytest.mark.parametrize("heads", ("own_ffn", "own_state"))
def test_one_predictor_fills_the_gaps_of_every_layer(batch, heads):
    """Of a layer as if it were the only one; the layers are one batch."""
    encoder, objective = make_parts(visible_only=True, predictor_layers=2, heads=heads)
    embedded, padding_mask, mask = batch
    states, ffn = encoder.outputs(embedded, padding_mask, mask, num_ffn=2)
    layers = ffn if heads == "own_ffn" else states[-2:]
    filled = [x + objective.predictor(x, padding_mask) for x in layers]
    calls = []
    objective.predictor.register_forward_hook(lambda *a: calls.append(1))
    batch = dinosr_batch(embedded, states, padding_mask, indices(mask), ffn)
    loss, _ = objective(batch)
    assert calls == [1]
    whole = make_dinosr(encoder, predictor_layers=0, heads=heads)
    for part in ("heads", "teacher", "codebooks"):
        getattr(whole, part).load_state_dict(getattr(objective, part).state_dict())
    states[-2:] = filled
    batch.ffn_outputs = filled
    expected, _ = whole(batch)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("visible_only, layers", ((False, 0), (True, 4)))
def test_predictor_by_default(visible_only, layers):
    objective = make_dinosr(make_encoder(visible_only=visible_only))
    assert len(objective.predictor.layers) == layers


def test_codebooks_follow_the_frames_that_count(batch):
    encoder, objective = make_parts(unmasked_weight=0.1)
    run(objective, encoder, *batch)
    assert objective.codebooks.pending_count.sum(1).tolist() == [LENGTHS.sum()] * 2


@every_head
@pytest.mark.parametrize("visible_only", (False, True))
def test_padding_changes_neither_loss_nor_statistics(batch, visible_only, heads):
    embedded, padding_mask, mask = batch
    encoder, objective = make_parts(
        position="conv_alibi", visible_only=visible_only, heads=heads
    )
    loss, _ = run(objective, encoder, *batch)
    collected = objective.codebooks.pending_sum.clone()
    objective.codebooks.pending_sum.zero_()
    total = 0.0
    for i, length in enumerate(LENGTHS):
        one = mask[i : i + 1, :length]
        part, _ = run(objective, encoder, embedded[i : i + 1, :length], None, one)
        total = total + part * one.sum()
    torch.testing.assert_close(loss, total / mask.sum(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        objective.codebooks.pending_sum, collected, atol=1e-3, rtol=1e-3
    )


def test_fp32_under_autocast(batch):
    encoder, objective = make_parts()
    run(objective, encoder, *batch)
    expected = objective.codebooks.pending_sum.clone()
    objective.codebooks.pending_sum.zero_()
    embedded, padding_mask, mask = batch
    with torch.autocast("cpu", torch.bfloat16):
        states = encoder(embedded, padding_mask, mask)
        assert states[-1].dtype == torch.float32  # layer norm
        states = [s.bfloat16() for s in states]
        loss, stats = objective(
            dinosr_batch(embedded, states, padding_mask, indices(mask))
        )
    assert loss.dtype == torch.float32
    assert all(v.dtype == torch.float32 for v in stats.values())
    assert torch.equal(objective.codebooks.pending_sum, expected)


def test_loss_is_summed_in_fp32_under_autocast(batch):
    """Equal to the loss of the same bf16 logits, computed in fp64."""
    encoder, objective = make_parts()
    embedded, padding_mask, mask = batch
    codes = []
    assign = objective.codebooks.assign

    def record(*args, **kwargs):
        codes.append(assign(*args, **kwargs))
        return codes[-1]

    objective.codebooks.assign = record
    logits = []
    objective.heads.register_forward_hook(lambda m, i, o: logits.append(o.detach()))
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = run(objective, encoder, *batch)
    assert logits[0].dtype == torch.bfloat16
    wide = logits[0].double().unflatten(-1, (2, -1)).transpose(0, 1).flatten(0, 1)
    expected = F.cross_entropy(wide, codes[0].flatten())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_only_training_collects(batch):
    encoder = make_encoder()
    objective = make_dinosr(encoder).eval()
    run(objective, encoder, *batch)
    assert objective.codebooks.pending_count.sum() == 0
    objective.train()
    run(objective, encoder, *batch)
    masked = batch[2].sum()
    assert objective.codebooks.pending_count.sum(1).tolist() == [masked, masked]


def test_gradients_reach_student_and_heads_only(batch):
    encoder, objective = make_parts()
    embedded, padding_mask, mask = batch
    states = [torch.randn(2, 25, DIM, requires_grad=True) for _ in range(4)]
    embedded = embedded.requires_grad_()
    objective(dinosr_batch(embedded, states, padding_mask, indices(mask)))[0].backward()
    assert embedded.grad is None
    assert all(p.grad is None for p in objective.teacher.parameters())
    assert (states[-1].grad.abs().sum(-1) > 0).equal(mask)
    assert objective.heads.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "heads, untrained",
    (("last", ()), ("own_state", ()), ("own_ffn", ("layers.2.ffn_norm.",))),
)
def test_which_layers_the_heads_train(batch, heads, untrained):
    """What an FFN adds does not depend on the norm after it."""
    encoder, objective = make_parts(heads=heads)
    run(objective, encoder, *batch)[0].backward()
    for name, parameter in encoder.transformer.named_parameters():
        if name.startswith(untrained or "none"):
            assert parameter.grad is None, name
        else:
            assert parameter.grad.abs().sum() > 0, name
    for k in range(2):
        rows = slice(16 * k, 16 * k + 16)
        assert objective.heads.weight.grad[rows].abs().sum() > 0


@pytest.mark.parametrize("heads", ("own_ffn", "own_state"))
def test_own_heads_reach_their_layer_alone(batch, heads):
    encoder, objective = make_parts(heads=heads)
    embedded, padding_mask, mask = batch
    states = [torch.randn(2, 25, DIM, requires_grad=True) for _ in range(4)]
    ffn = [torch.randn(2, 25, DIM, requires_grad=True) for _ in range(2)]
    batch = dinosr_batch(embedded, states, padding_mask, indices(mask), ffn)
    loss, _ = objective(batch)
    loss.backward()
    read, left = (ffn, states) if heads == "own_ffn" else (states[2:], states[:2] + ffn)
    for layer in read:
        assert (layer.grad.abs().sum(-1) > 0).equal(mask)
    assert all(layer.grad is None for layer in left)
    assert all(p.grad is None for p in objective.teacher.parameters())


def test_heads_are_saved_alike():
    """Their kind is no part of the weights; those of ``last`` are as ever."""
    shapes = [
        {k: v.shape for k, v in make_dinosr(heads=heads).state_dict().items()}
        for heads in ("last", "own_ffn", "own_state")
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    assert shapes[0]["heads.weight"] == (2 * 16, DIM)
    parts = {name.split(".")[0] for name in shapes[0]}
    assert parts == {"teacher", "codebooks", "heads", "low_epochs"}


@pytest.mark.parametrize(
    "conf, message",
    (
        (dict(unmasked_weight=-0.5), "unmasked_weight.*-0.5"),
        (dict(heads="own"), "heads.*'last', 'own_ffn', 'own_state'.*found 'own'"),
        (dict(num_codebooks=0), r"must be in 1..3 .* found 0"),
        (dict(num_codebooks=4), r"must be in 1..3 .* found 4"),
    ),
)
def test_mistakes_are_named(conf, message):
    with pytest.raises(ValueError, match=message):
        make_dinosr(**conf)


def test_dropped_layers_have_no_ffn_output():
    """Its head reads the state below, if it reads states."""
    encoder = make_encoder(layer_drop=0.5)
    with pytest.raises(ValueError, match="layer_drop: 0.0, found 0.5"):
        make_dinosr(encoder, heads="own_ffn")
    objective = make_dinosr(encoder, heads="own_state")
    loss, _ = run(
        objective, encoder, torch.randn(1, 9, DIM), None, torch.ones(1, 9) > 0
    )
    assert loss.isfinite()


def test_one_call_updates_teacher_and_codebooks_once(batch):
    encoder, objective = make_parts()
    run(objective, encoder, *batch)
    before = objective.codebooks.codewords.clone()
    objective.after_optimizer_step(encoder)
    assert int(objective.teacher.num_updates) == 1
    assert not torch.equal(objective.codebooks.codewords, before)


def test_perplexities_are_those_of_the_distributions(batch):
    encoder, objective = make_parts()
    embedded, padding_mask, mask = batch
    logits = torch.randn(2, 40, 16)
    codes = torch.randint(0, 5, (2, 40))
    stats = objective._stats(logits, codes)
    for k in range(2):
        target = torch.bincount(codes[k], minlength=16).double() / 40
        predicted = logits[k].double().softmax(-1).mean(0)
        for name, p in (("target", target), ("prediction", predicted)):
            expected = math.exp(-sum(float(v) * math.log(v) for v in p if v > 0))
            found = float(stats[f"{name}_perplexity_{k}"])
            assert found == pytest.approx(expected, rel=1e-4)


def epoch(objective, codes):
    """One epoch in which the teacher gave these codes; returns its statistics."""
    objective.train()
    for part in codes.chunk(3, dim=1):
        objective._stats(torch.randn(2, part.shape[1], 16), part)
    objective.eval()
    return objective._stats(torch.randn(2, 4, 16), codes[:, :4])


def test_use_and_entropy_of_the_epoch():
    objective = make_dinosr()
    codes = torch.stack((torch.arange(48) % 16, torch.arange(48) % 4))
    for _ in range(2):
        stats = epoch(objective, codes)
        assert float(stats["codes_used_0"]) == 1.0
        assert float(stats["codes_used_1"]) == 0.25
        assert float(stats["entropy_0"]) == pytest.approx(1.0, abs=1e-5)
        assert float(stats["entropy_1"]) == pytest.approx(0.5, abs=1e-5)
    stats = epoch(objective, codes.flip(0))
    assert float(stats["codes_used_0"]) == 0.25


def test_collapse_is_a_warning_that_names_the_knob(caplog):
    objective = make_dinosr()
    healthy = torch.arange(48) % 16
    codes = torch.stack((healthy, torch.zeros(48, dtype=torch.long)))
    with caplog.at_level(logging.WARNING):
        epoch(objective, codes)
        assert not caplog.records
        epoch(objective, codes)
    (record,) = caplog.records
    text = record.getMessage()
    assert "codebook 1 is collapsing: for 2 epochs it used 6 % of its codes" in text
    for knob in ("optim_conf.lr", "ema_decay", "num_codebooks"):
        assert knob in text


BAD = torch.zeros(2, 48, dtype=torch.long)
GOOD = (torch.arange(48) % 16).expand(2, -1)
# all codes are used, but for one seldom
LOW = torch.where(torch.arange(4800) % 300 > 0, 0, torch.arange(4800) // 300)


@pytest.mark.parametrize(
    "epochs, warnings",
    (([LOW.expand(2, -1)] * 2, 2), ([BAD, GOOD, BAD, GOOD, GOOD], 0)),
    ids=("low perplexity", "not twice"),
)
def test_what_is_a_collapse(caplog, epochs, warnings):
    objective = make_dinosr()
    for codes in epochs:
        epoch(objective, codes)
    assert len(caplog.records) == warnings


def test_epochs_of_collapse_are_saved(caplog):
    objective, resumed = make_dinosr(), make_dinosr()
    epoch(objective, BAD)
    resumed.load_state_dict(objective.state_dict())
    epoch(resumed, BAD)
    assert len(caplog.records) == 2


def test_half_of_the_layers_have_codebooks_by_default():
    assert make_dinosr(num_codebooks=None).num_codebooks == 2


@every_head
def test_batch_without_masked_frames_has_no_loss(batch, heads):
    encoder, objective = make_parts(heads=heads)
    embedded, padding_mask, mask = batch
    loss, _ = run(objective, encoder, embedded, padding_mask, torch.zeros_like(mask))
    assert loss.item() == 0.0
    loss.backward()
