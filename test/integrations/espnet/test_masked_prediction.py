"""``loss: masked_prediction``: ESPnet's HuBERT loss on our encoder."""

from dataclasses import replace

import pytest
import torch
from espnet_case import FLOW_MATCHING, HUBERT
from factories import train_steps

LABELS = dict(name="masked_prediction", conf=HUBERT)
FRAME = 320


@pytest.fixture
def make_model(make_ssl):
    conf = {"loss": [LABELS], "util": [dict(name="span_mask", conf={})]}
    return lambda **overrides: make_ssl(**{**conf, **overrides})


@pytest.fixture
def batch(speech):
    speech, lengths = speech
    frames = -(-lengths // FRAME)
    labels = torch.randint(0, 5, (len(speech), int(frames.max())))
    for row, number in zip(labels, frames):
        row[number:] = -1
    return dict(speech=speech, speech_lengths=lengths, text=labels, text_lengths=frames)


def encode(model, batch):
    """The masked batch of samples and labels."""
    x, lengths = model.frontend(batch["speech"], batch["speech_lengths"])
    return model.pretraining.encode(x, lengths, batch["text"])


@pytest.mark.parametrize(
    "change",
    (
        {},
        dict(loss=[LABELS, FLOW_MATCHING]),
        dict(model_conf=dict(num_views=2)),
        dict(model_conf=dict(bf16=True)),
    ),
    ids=("alone", "joint", "views", "bf16"),
)
def test_labels_are_learned(make_model, batch, change):
    model = make_model(**change)
    seen = []

    def step(i):
        torch.manual_seed(i % 10)
        loss, stats, _ = model(**batch)
        seen.append(stats)
        return loss

    train_steps(step, model.parameters(), 60, 3e-3)
    values = [float(stats["loss_masked_prediction"]) for stats in seen]
    assert sum(values[-10:]) < 0.8 * sum(values[:10])
    assert float(seen[-1]["accuracy"]) > 0.4


def test_it_is_espnets_loss(make_model, batch):
    """The cross-entropy of masked frames alone, without the padding."""
    model = make_model().eval()
    with torch.no_grad():
        inside = encode(model, batch)
        loss = model.losses[0](inside)[0]
        masked = inside.masked
        head = model.losses[0].hubert.decoder
        state = head.final_proj(inside.hidden_states[-1].flatten(0, 1)[masked])
        logits = head.label_embeddings(state) / 0.1
    targets = batch["text"].flatten()[masked]
    assert (targets >= 0).all()
    expected = torch.nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(loss, expected)


def test_visible_labels_are_ignored(make_model, batch):
    model = make_model().eval()
    torch.manual_seed(0)
    inside = encode(model, batch)
    other = (batch["text"] + 1).clamp(max=4)
    other.view(-1)[inside.masked] = batch["text"].flatten()[inside.masked]
    losses = [
        model.losses[0](replace(inside, labels=labels))[0]
        for labels in (batch["text"], other)
    ]
    assert torch.equal(*losses)


def test_a_crop_may_round_the_labels(make_model, batch):
    model = make_model()
    for cut in (1, 2):
        loss, _, _ = model(**{**batch, "text": batch["text"][:, :-cut]})
        assert loss.isfinite()


def test_bad_labels(make_model, batch):
    model = make_model()
    with pytest.raises(ValueError, match="needs labels.*text_int"):
        model(speech=batch["speech"], speech_lengths=batch["speech_lengths"])
    with pytest.raises(ValueError, match="one label for each of .* the frame rate"):
        model(**{**batch, "text": batch["text"].repeat(1, 2)})
    with pytest.raises(ValueError, match="visible_only: false"):
        conf = dict(num_layers=2, embed_dim=32, num_heads=4, ffn_dim=48)
        make_model(encoder_conf={**conf, "visible_only": True})
