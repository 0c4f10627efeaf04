"""Codes of groups of frames, learned together with the decoder."""

import pytest
import torch
from factories import make_config, make_model, make_speech, train_steps

from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.fit import fit_tokenizer
from espnet_uniwav.apps.tokenizer.learned_quantizer import LearnedQuantizer
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.checkpoint import save_checkpoint

LENGTHS = [16000, 9000, 3333]
CONF = dict(
    layer="learned",
    num_codebooks=2,
    codebook_size=16,
    frames_per_code=2,
    speaker_code_length=8,
)


def make_tokenizer(**overrides):
    torch.manual_seed(0)
    tokenizer = UniWavTokenizer(make_model(), **{**CONF, **overrides}).eval()
    fit_tokenizer(tokenizer, list(make_speech([32000, 32000, 30000], seed=1)[0]))
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_rates(tokenizer):
    assert tokenizer.frame_rate == 25 and tokenizer.bitrate == 25 * 2 * 4
    assert (
        "2 codebooks of 16 at 25 Hz: 200 bit/s and a speaker code of 16 bits"
        in repr(tokenizer)
    )


@pytest.mark.parametrize("frames_per_code", [1, 2, 4])
def test_batch_equals_single(frames_per_code):
    tokenizer = make_tokenizer(frames_per_code=frames_per_code)
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    x, frames = tokenizer.features.extract(speech, lengths)
    padding = torch.arange(x.shape[1]) >= frames[:, None]
    together = tokenizer.quantize(x, padding).codes
    for own, batch, wav, n in zip(codes, together, speech, LENGTHS):
        number = -(-n // (320 * frames_per_code))
        single = tokenizer.encode(wav[None, :n])[0]
        assert single.shape == (2, number) and torch.equal(own[:, :number], single)
        assert (own[:, number:] == -1).all()
        assert (batch[:, :number] == single).float().mean() > 0.95
    assert len(codes.unique()) > 10


def test_every_codebook_leaves_less_error():
    """Before any training, apart from the mean of the utterance."""
    tokenizer = make_tokenizer(num_codebooks=4)
    x = tokenizer.features.extract_one(make_speech([32000], seed=1)[0][0])[None]
    x = x - x.mean(1, keepdim=True)
    errors = [float(x.square().mean())]
    for number in range(1, 5):
        draft = tokenizer.limit_codebooks(number).quantize(x).draft.detach()
        draft = draft - draft.mean(1, keepdim=True)
        errors.append(float((draft - x).square().mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.7 * errors[0]


def test_codewords_are_searched_one_after_another(tokenizer):
    quantizer = tokenizer.quantizer
    x = tokenizer.features.extract_one(make_speech(LENGTHS)[0][0])[None]
    groups, mean = quantizer.groups(x, None)
    torch.testing.assert_close(mean, x.mean(1))
    torch.testing.assert_close(groups.reshape(1, 50, -1), x - x.mean(1, keepdim=True))
    left, codes = groups[0], tokenizer.quantize(x).codes[0]
    for book, own in zip(quantizer.codebooks, codes):
        assert torch.equal(torch.cdist(left, book).argmin(1), own)
        left = left - book[own]


def test_decode_in_a_voice(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    speakers = tokenizer.encode_speaker(speech, lengths)
    assert speakers.shape == (3, 8) and speakers.min() >= 0 and speakers.max() <= 3
    spoken = tokenizer.decode(codes, speaker_codes=speakers, num_steps=2)
    assert spoken.shape == (3, 16000)
    again = tokenizer.resynthesise(speech[0], num_steps=2)
    torch.testing.assert_close(spoken[0], again, rtol=0, atol=1e-3)
    plain = tokenizer.decode(codes, num_steps=2)
    assert not torch.equal(plain, spoken)
    prompted = tokenizer.decode(codes[:1], prompt=speech[1, :9000], num_steps=2)
    other = tokenizer.decode(
        codes[:1], prompt=speech[1, :9000], speaker_codes=3 - speakers[:1], num_steps=2
    )
    assert prompted.shape == (1, 16000) and not torch.equal(prompted, other)
    both = tokenizer.resynthesise(speech[0], speech[1, :9000], num_steps=2)
    torch.testing.assert_close(prompted[0], both, rtol=0, atol=1e-3)


def test_the_first_codebooks_are_codes_of_their_own(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    fewer = make_tokenizer().limit_codebooks(1)
    assert (fewer.num_codebooks, fewer.bitrate) == (1, 100)
    assert torch.equal(fewer.encode(speech, lengths), codes[:, :1])
    assert fewer.origin() != tokenizer.origin()
    spoken = tokenizer.decode(codes[:1, :1], num_steps=2)
    assert not torch.equal(spoken, tokenizer.decode(codes[:1], num_steps=2))
    expected = fewer.decode(codes[:1, :1], num_steps=2)
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-5)
    assert fewer.limit_codebooks(2).origin() == tokenizer.origin()


def test_training_leaves_out_the_last_codebooks():
    torch.manual_seed(0)
    config = TokenizerConfig("learned", 4, 16, speaker_code_length=4)
    quantizer = LearnedQuantizer(8, 6, config)
    number, known = quantizer.leave_out(torch.ones(4000, 4).bool())
    shares = number.long().flatten().bincount(minlength=5) / 4000
    assert shares[0] == 0 and ((shares[1:] - 0.25).abs() < 0.03).all()
    assert 0.08 < (~known).all(1).float().mean() < 0.12


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"speaker_code_length": 49}, "speaker_code_length of at most 48, found 49"),
        ({"num_codebooks": 0}, "num_codebooks of 1 or more"),
        ({"frames_per_code": 0}, "frames_per_code of 1 or more"),
        ({"layer": 1}, "need layer: learned, found 1"),
        ({"semantic_layer": 9}, "state from 1 to [0-9], found 9"),
        (
            dict(layer=1, semantic_layer=1, frames_per_code=1, speaker_code_length=0),
            "need layer",
        ),
    ],
)
def test_bad_settings_are_refused(conf, message):
    with pytest.raises(ValueError, match=message):
        UniWavTokenizer(make_model(), **{**CONF, **conf})


def test_training_moves_codewords_speaker_code_and_decoder():
    tokenizer = make_tokenizer().train()
    before = {k: v.clone() for k, v in tokenizer.state_dict().items()}
    x, lengths = tokenizer.features.extract(*make_speech(LENGTHS))
    parameters = [p for p in tokenizer.parameters() if p.requires_grad]

    def step(i):
        torch.manual_seed(1)
        return tokenizer(x, lengths)[0]

    totals = train_steps(step, parameters, 40, 3e-3)
    assert totals[-1] < 0.8 * totals[0]
    assert {"loss_flow", "loss_draft", "perplexity_1"} < set(tokenizer(x, lengths)[1])
    moved = {
        k for k, v in tokenizer.state_dict().items() if not torch.equal(v, before[k])
    }
    for name in ("codebooks", "speaker.analysis.weight", "speaker.synthesis.weight"):
        assert f"quantizer.{name}" in moved
    assert any(k.startswith("uniwav.decoder") for k in moved)
    frozen = ("uniwav.weighted_sum", "uniwav.encoder")
    assert not any(k.startswith(frozen) for k in moved)


def test_padding_changes_no_loss_of_the_draft(tokenizer):
    x, lengths = tokenizer.features.extract(*make_speech([9000, 9000]))
    longer = torch.nn.functional.pad(x, (0, 0, 0, 5), value=3.0)
    found = [float(tokenizer(own, lengths)[1]["loss_draft"]) for own in (x, longer)]
    assert found[0] == pytest.approx(found[1], rel=1e-4) and found[0] > 0


def test_checkpoint(tmp_path, tokenizer):
    save_checkpoint(tokenizer, {**make_config(), "tokenizer": CONF}, tmp_path / "t")
    loaded = UniWavTokenizer.from_pretrained(tmp_path / "t")
    speech, lengths = make_speech(LENGTHS)
    assert torch.equal(loaded.encode(speech), tokenizer.encode(speech))
    speakers = tokenizer.encode_speaker(speech, lengths)
    assert torch.equal(loaded.encode_speaker(speech, lengths), speakers)
    assert loaded.origin() == tokenizer.origin()
    assert loaded.origin() != make_tokenizer(speaker_code_length=0).origin()


def test_the_packaged_tokenizer_is_the_default():
    tokenizer = UniWavTokenizer.from_pretrained()
    assert (tokenizer.bitrate, tokenizer.limit_codebooks(2).bitrate) == (1000, 500)
    of_model = UniWavTokenizer.from_pretrained("small").limit_codebooks(2)
    assert of_model.origin() == tokenizer.origin()
    speech = make_speech([16000])[0]
    codes = tokenizer.encode(speech)
    assert codes.shape == (1, 2, 25) and codes.max() < 1024
    assert tokenizer.decode(codes, num_steps=1).shape == (1, 16000)


def test_semantic_codes_are_those_of_the_state():
    """The first code follows from the encoder alone, and others from what it leaves."""
    tokenizer = make_tokenizer(semantic_layer=1)
    quantizer, speech = tokenizer.quantizer, make_speech([16000])[0]
    x = tokenizer.features.extract_one(speech[0])[None]
    reading = tokenizer.quantize(x)
    state = quantizer.semantic.state(tokenizer.uniwav, x)
    groups = quantizer.semantic.group(state)[0]
    nearest = torch.cdist(groups, quantizer.semantic.centroids).argmin(1)
    assert torch.equal(reading.codes[0, 0], nearest)
    own, _ = quantizer.groups(x, None)
    left = own[0] - quantizer.codebooks[0][nearest]
    second = torch.cdist(left, quantizer.codebooks[1]).argmin(1)
    assert torch.equal(reading.codes[0, 1], second)
    louder = tokenizer.quantize(x + 1.0).codes
    assert (louder[0, 1] == second).float().mean() > 0.5


def test_semantic_codes_know_no_padding():
    tokenizer = make_tokenizer(semantic_layer=1, frames_per_code=4)
    speech, lengths = make_speech(LENGTHS)
    x, frames = tokenizer.features.extract(speech, lengths)
    padding = torch.arange(x.shape[1]) >= frames[:, None]
    together = tokenizer.quantize(x, padding).codes
    for own, wav, n in zip(together, speech, LENGTHS):
        single = tokenizer.encode(wav[None, :n])[0]
        assert (own[:, : single.shape[1]] == single).float().mean() > 0.95


def test_semantic_embeddings_are_trained(tmp_path):
    """Embeddings of the semantic code learn; the encoder stays as it is."""
    tokenizer = make_tokenizer(semantic_layer=2).train()
    x, lengths = tokenizer.features.extract(*make_speech(LENGTHS))
    tokenizer(x, lengths)[0].backward()
    assert tokenizer.quantizer.semantic_embedding.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in tokenizer.uniwav.encoder.parameters())
    config = {**make_config(), "tokenizer": {**CONF, "semantic_layer": 2}}
    save_checkpoint(tokenizer.eval(), config, tmp_path / "saved")
    again = UniWavTokenizer.from_pretrained(tmp_path / "saved")
    speech = make_speech([16000])[0]
    assert torch.equal(again.encode(speech), tokenizer.encode(speech))


def test_what_callers_give(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    wav, prompt = speech[0], make_speech([16000], seed=3)[0][0]
    codes, speakers = (
        tokenizer.encode(speech, lengths),
        tokenizer.encode_speaker(speech),
    )
    given = speech.double().numpy(), lengths.tolist()
    assert torch.equal(tokenizer.encode(*given), codes)
    assert torch.equal(tokenizer.encode_speaker(given[0]), speakers)
    for found in (tokenizer.encode_one(wav.numpy()), tokenizer.encode_one(wav)):
        assert torch.equal(found[0], codes[0]) and torch.equal(found[1], speakers[0])
    sixteen = (wav * 2**15).round().to(torch.int16)
    expected = tokenizer.encode(sixteen / 2**15)
    assert torch.equal(tokenizer.encode(sixteen.numpy()), expected)

    def decode(*args, **more):
        return tokenizer.decode(*args, num_steps=1, **more)

    expected = decode(codes[:1], prompt=prompt)
    for own in (codes[0].numpy(), codes[0].tolist()):
        assert torch.equal(decode(own, prompt=prompt.numpy()), expected)
    expected = decode(codes[:1], speaker_codes=speakers[:1])
    assert torch.equal(
        decode(codes[0], [25], speaker_codes=speakers[0].numpy()), expected
    )
    expected = tokenizer.resynthesise(wav, prompt, num_steps=1)
    found = tokenizer.resynthesise(wav.numpy(), prompt.numpy(), num_steps=1)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda t: t.encode(None), TypeError, "speech: .* found NoneType"),
        (lambda t: t.encode([[]]), ValueError, r"no samples in utterances \[0\]"),
        (lambda t: t.encode(torch.zeros(1, 9), [10]), ValueError, "lengths: .* 0 to 9"),
        (lambda t: t.encode_speaker("a.wav"), TypeError, "speech: .* found str"),
        (lambda t: t.encode_one(torch.zeros(1, 9)), ValueError, r"shape \(1, 9\)"),
        (
            lambda t: t.encode_one([]),
            ValueError,
            "speech: expected samples, found none",
        ),
        (lambda t: t.decode([[0.5]]), TypeError, "codes: .* found torch.float32"),
        (lambda t: t.limit_codebooks(0), ValueError, "from 1 to 2, found 0"),
        (lambda t: t.limit_codebooks(3), ValueError, "from 1 to 2, found 3"),
        (lambda t: t.decode([[0]] * 3), ValueError, r"expected codes \(1 to 2, T\)"),
        (
            lambda t: t.decode([[0]], speaker_codes=[[0] * 7]),
            ValueError,
            r"expected speaker_codes \(1, 8\)",
        ),
        (
            lambda t: t.decode([[0]], speaker_codes=[[4] * 8]),
            ValueError,
            r"expected speaker_codes \(1, 8\)",
        ),
        (lambda t: t.decode([3]), ValueError, r"codes: .* found shape \(1,\)"),
        (lambda t: t.decode([[0]], prompt="me.wav"), TypeError, "prompt: .* found str"),
        (
            lambda t: t.decode([[0]], speaker_codes=[[0.5] * 8]),
            TypeError,
            "speaker_codes: .*float32",
        ),
        (lambda t: t.resynthesise(None), TypeError, "speech: .* found NoneType"),
    ],
)
def test_what_is_refused(tokenizer, call, error, message):
    with pytest.raises(error, match=message):
        call(tokenizer)
