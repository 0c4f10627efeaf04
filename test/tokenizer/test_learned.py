"""Codes that are learned together with encoder and decoder."""

import pytest
import torch
from factories import make_config, make_model, make_speech

from espnet_uniwav.checkpoint import save_checkpoint
from espnet_uniwav.tokenizer.learned import LearnedQuantizer
from espnet_uniwav.tokenizer.losses import CodeLosses
from espnet_uniwav.tokenizer.tokenizer import UniWavTokenizer

LENGTHS = [16000, 9000, 3333]
CONF = dict(
    layer="learned",
    num_codebooks=2,
    codebook_size=64,
    frames_per_code=2,
    voice_digits=8,
)


def make_tokenizer(**overrides):
    torch.manual_seed(0)
    return UniWavTokenizer(make_model(), **{**CONF, **overrides}).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_rates(tokenizer):
    assert tokenizer.frame_rate == 25 and tokenizer.bitrate == 25 * 2 * 6
    assert "2 codebooks of 64 at 25 Hz: 300 bit/s and 16 bits a voice" in repr(
        tokenizer
    )


@pytest.mark.parametrize("frames_per_code", [1, 2, 4])
def test_batch_equals_single(frames_per_code):
    tokenizer = make_tokenizer(frames_per_code=frames_per_code)
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    x, frames = tokenizer.features.extract(speech, lengths)
    padding = torch.arange(x.shape[1]) >= frames[:, None]
    together = tokenizer.read(x, padding).codes
    for own, batch, wav, n in zip(codes, together, speech, LENGTHS):
        number = -(-n // (320 * frames_per_code))
        single = tokenizer.encode(wav[None, :n])[0]
        assert single.shape == (2, number) and torch.equal(own[:, :number], single)
        assert (own[:, number:] == -1).all()
        assert (batch[:, :number] == single).float().mean() > 0.95
    assert len(codes[:, 0].unique()) > 10


def test_digits_are_the_number_of_a_code():
    quantizer = LearnedQuantizer(8, 2, 3, 256)
    codes = torch.randint(256, (2, 3, 5))
    digits = quantizer.digits_of(codes)
    assert digits.shape == (2, 5, 12) and digits.abs().max() <= 1
    assert torch.equal(quantizer.codes(digits), codes)


def test_rounding_passes_the_gradient():
    torch.manual_seed(0)
    quantizer = LearnedQuantizer(8, 2, 1, 1024, voice_digits=4)
    states = [torch.randn(2, 50, 8, requires_grad=True) for _ in range(2)]
    digits, voice = quantizer(states)
    levels = (digits + 1) * 1.5
    torch.testing.assert_close(levels, levels.round())
    assert set(levels.round().flatten().tolist()) == {0, 1, 2, 3}
    quantizer.condition(digits, voice, 50).square().sum().backward()
    assert states[0].grad.abs().sum() > 0
    assert quantizer.write_voice.weight.grad.abs().sum() > 0


def test_all_levels_start_in_use():
    torch.manual_seed(0)
    quantizer = LearnedQuantizer(32, 1, 1, 1024)
    digits, _ = quantizer([torch.randn(8, 500, 32)])
    shares = torch.stack([(digits == v).float().mean() for v in digits.unique()])
    assert len(shares) == 4 and shares.min() > 0.15


def test_decode_in_a_voice(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    voices = tokenizer.encode_voice(speech, lengths)
    assert voices.shape == (3, 8) and voices.min() >= 0 and voices.max() <= 3
    spoken = tokenizer.decode(codes, voices=voices, num_steps=2)
    assert spoken.shape == (3, 16000)
    again = tokenizer.resynthesise(speech[0], num_steps=2)
    torch.testing.assert_close(spoken[0], again, rtol=0, atol=1e-3)
    plain = tokenizer.decode(codes, num_steps=2)
    assert not torch.equal(plain, spoken)
    prompted = tokenizer.decode(codes[:1], prompt=speech[1, :9000], num_steps=2)
    other = tokenizer.decode(
        codes[:1], prompt=speech[1, :9000], voices=3 - voices[:1], num_steps=2
    )
    assert prompted.shape == (1, 16000) and not torch.equal(prompted, other)
    both = tokenizer.resynthesise(speech[0], speech[1, :9000], num_steps=2)
    torch.testing.assert_close(prompted[0], both, rtol=0, atol=1e-3)


def test_foreign_voices_are_refused(tokenizer):
    codes = tokenizer.encode(make_speech([9000])[0])
    for voices in (torch.zeros(1, 7).long(), torch.full((1, 8), 4)):
        with pytest.raises(ValueError, match=r"expected voices \(1, 8\)"):
            tokenizer.decode(codes, voices=voices)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"codebook_size": 100}, "a power of 4, found 2 and 100"),
        ({"num_codebooks": 0}, "num_codebooks of 1 or more"),
        ({"frames_per_code": 0}, "frames_per_code of 1 or more"),
        ({"layer": 1}, "need layer: learned, found 1"),
    ],
)
def test_bad_settings_are_refused(conf, message):
    with pytest.raises(ValueError, match=message):
        make_tokenizer(**conf)


def test_training_moves_encoder_codes_and_decoder():
    tokenizer = make_tokenizer().train()
    losses = CodeLosses(tokenizer.quantizer, tokenizer.uniwav.encoder, 12)
    before = {k: v.clone() for k, v in tokenizer.state_dict().items()}
    x, lengths = tokenizer.features.extract(*make_speech(LENGTHS))
    anchor = {k: v.clone() for k, v in losses.anchor.state_dict().items()}
    parameters = [*tokenizer.parameters(), *losses.parameters()]
    optimizer = torch.optim.Adam([p for p in parameters if p.requires_grad], 3e-3)
    totals = []
    for _ in range(40):
        torch.manual_seed(1)
        loss, stats = tokenizer(x, lengths, losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(float(loss))
    assert totals[-1] < 0.7 * totals[0]
    assert {"loss_flow", "loss_features", "loss_meaning", "perplexity_1"} < set(stats)
    moved = {
        k for k, v in tokenizer.state_dict().items() if not torch.equal(v, before[k])
    }
    for part in ("uniwav.encoder", "uniwav.decoder", "quantizer.write.weight"):
        assert any(k.startswith(part) for k in moved)
    assert not any(k.startswith("uniwav.weighted_sum") for k in moved)
    kept = losses.anchor.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in anchor.items())
    losses.keep(tokenizer.uniwav.encoder)
    assert any(not torch.equal(kept[name], value) for name, value in anchor.items())


def test_padding_changes_no_loss(tokenizer):
    losses = CodeLosses(tokenizer.quantizer, tokenizer.uniwav.encoder, 12)
    x, lengths = tokenizer.features.extract(*make_speech([9000, 9000]))
    longer = torch.nn.functional.pad(x, (0, 0, 0, 5), value=3.0)
    found = []
    for own in (x, longer):
        padding = torch.arange(own.shape[1]) >= lengths[:, None]
        reading = tokenizer.read(own, padding)
        found.append(losses(reading, own, padding))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-4, atol=1e-5)


def test_checkpoint(tmp_path, tokenizer):
    save_checkpoint(tokenizer, {**make_config(), "tokenizer": CONF}, tmp_path / "t")
    loaded = UniWavTokenizer.from_pretrained(tmp_path / "t")
    speech, lengths = make_speech(LENGTHS)
    assert torch.equal(loaded.encode(speech), tokenizer.encode(speech))
    voices = tokenizer.encode_voice(speech, lengths)
    assert torch.equal(loaded.encode_voice(speech, lengths), voices)
    assert loaded.origin() == tokenizer.origin()
    assert loaded.origin() != make_tokenizer(voice_digits=0).origin()
