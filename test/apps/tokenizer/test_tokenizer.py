import pytest
import torch
from factories import make_config, make_model, make_speech, save_model, train_steps

from espnet_uniwav.apps.tokenizer.cluster_quantizer import ClusterQuantizer
from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.fit import fit_tokenizer
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tokenizer.whitening import Whitening
from espnet_uniwav.core.checkpoint import load_checkpoint, save_checkpoint

LENGTHS = [16000, 9000, 3333]


def make_tokenizer(model=None, **overrides):
    conf = dict(layer=2, num_codebooks=2, codebook_size=16)
    tokenizer = UniWavTokenizer(model or make_model(), **{**conf, **overrides}).eval()
    if tokenizer.num_codebooks:
        speech, lengths = make_speech(LENGTHS)
        parts = [own[:n] for own, n in zip(speech, lengths)]
        fit_tokenizer(tokenizer, parts)
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_rates(tokenizer):
    assert tokenizer.frame_rate == 50 and tokenizer.bitrate == 50 * 2 * 4
    assert "2 codebooks of 16 at 50 Hz: 400 bit/s" in repr(tokenizer)
    assert make_tokenizer(num_codebooks=1, codebook_size=32).bitrate == 250


@pytest.mark.parametrize("layer", [0, 2, "features"])
def test_batch_equals_single(layer):
    tokenizer = make_tokenizer(layer=layer)
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    assert codes.shape == (3, 2, 50)
    for own, wav, n in zip(codes, speech, LENGTHS):
        frames = -(-n // 320)
        single = tokenizer.encode(wav[None, :n])[0]
        assert torch.equal(own[:, :frames], single)
        assert (own[:, frames:] == -1).all()
    assert len(codes[:, 0].unique()) > 4


def test_what_is_read_out_of_z_are_the_features(tokenizer):
    x = tokenizer.features.extract_one(make_speech(LENGTHS)[0][0])[None]
    state, z = tokenizer.quantizer.read_encoder(tokenizer.uniwav, x)
    _, rest = tokenizer.quantizer.targets(x, state, z)
    left = (rest - x).square().mean() / (x - x.mean((0, 1))).square().mean()
    assert rest.shape == x.shape != z.shape and left < 0.2


def test_whitened_axes_are_the_largest():
    torch.manual_seed(0)
    state = torch.randn(500, 6) @ torch.randn(6, 6) + 3.0
    whitening = Whitening(6, 3)
    whitening.fit(state)
    seen = whitening(state)
    assert seen.shape == (500, whitening.dim) and whitening.dim == 3
    torch.testing.assert_close(torch.cov(seen.T), torch.eye(3))
    largest = torch.linalg.eigh(torch.cov(state.T))[1][:, -1]
    along = (state - state.mean(0)) @ largest
    torch.testing.assert_close(seen[:, 0].abs(), (along / along.std()).abs())


def test_what_is_read_out_has_the_variance_of_the_axes():
    torch.manual_seed(0)
    config = TokenizerConfig(1, 1, 8, num_axes=3)
    quantizer = ClusterQuantizer(6, 4, config)
    state = torch.randn(500, 6) @ torch.randn(6, 6) + 3.0
    x = state @ torch.randn(6, 4) + 0.1 * torch.randn(500, 4)
    quantizer.fit_maps(x, state, state)
    target, rest = quantizer.targets(x, state, state)
    assert target.shape == (500, 7)
    assert float(target[:, 3:].var(0).sum().detach()) == pytest.approx(3)
    torch.testing.assert_close(target[:, 3:] / target[:1, 3:], rest / rest[:1])


def test_padding_changes_no_code(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    noise = torch.cat((speech, torch.randn(3, 5000)), dim=1)
    assert torch.equal(
        tokenizer.encode(noise, lengths), tokenizer.encode(speech, lengths)
    )


def test_decode(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    spoken = tokenizer.decode(codes, num_steps=2)
    assert spoken.shape == (3, 16000)
    assert spoken[2, 11 * 320 :].abs().max() == 0 and spoken[2].abs().max() > 0
    single = tokenizer.decode(codes[2:, :, :11], num_steps=2)[0]
    assert torch.equal(spoken[2, : 11 * 320], single)
    other = tokenizer.decode(codes[2:, :, :11], num_steps=2, seed=1)[0]
    assert not torch.equal(single, other)


def test_prompt_is_heard_but_not_returned(tokenizer):
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech[:1])
    plain = tokenizer.decode(codes, num_steps=2)
    prompted = tokenizer.decode(codes, prompt=speech[1, :9000], num_steps=2)
    assert prompted.shape == plain.shape and not torch.equal(prompted, plain)
    with pytest.raises(ValueError, match="0.5"):
        tokenizer.decode(codes, prompt=speech[1, :3000])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.full((1, 2, 5), 16), "found .* from 16 to 16"),
        (torch.zeros(1, 1, 5, dtype=torch.long), r"expected codes \(2, T\)"),
        (torch.zeros(1, 2, 0, dtype=torch.long), r"found \(2, 0\)"),
    ],
)
def test_foreign_codes_are_refused(tokenizer, codes, message):
    with pytest.raises(ValueError, match=message):
        tokenizer.decode(codes)


def test_one_sample_is_one_frame(tokenizer):
    assert tokenizer.encode(torch.zeros(1, 1)).shape == (1, 2, 1)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"layer": 4}, "expected 0 to 3, features or learned, found 4"),
        ({"num_codebooks": -1}, "num_codebooks of 0 or more"),
        ({"codebook_size": 1}, "codebook_size of 2 or more"),
    ],
)
def test_bad_settings_are_refused(conf, message):
    with pytest.raises(ValueError, match=message):
        make_tokenizer(**conf)


def test_needs_a_decoder():
    with pytest.raises(ValueError, match="needs a model with a decoder"):
        make_tokenizer(make_model(decoder=None))


@pytest.mark.parametrize("conf", [{}, {"num_codebooks": 0}, {"layer": "features"}])
def test_training_moves_decoder_and_embeddings_alone(conf):
    torch.manual_seed(0)
    tokenizer = make_tokenizer(**conf).train()
    assert not tokenizer.uniwav.encoder.training and tokenizer.uniwav.decoder.training
    before = {k: v.clone() for k, v in tokenizer.state_dict().items()}
    x, lengths = tokenizer.features.extract(*make_speech(LENGTHS))
    codes = tokenizer.quantize(x).codes
    parameters = [p for p in tokenizer.parameters() if p.requires_grad]

    def step(i):
        torch.manual_seed(1)
        return tokenizer(x, lengths)[0]

    losses = train_steps(step, parameters, 30, 3e-3)
    assert losses[-1] < 0.8 * losses[0]
    moved = {
        k for k, v in tokenizer.state_dict().items() if not torch.equal(v, before[k])
    }
    kept = ("uniwav.encoder", "uniwav.weighted_sum", "quantizer.semantic_codebook")
    assert not any(k.startswith((*kept, "quantizer.codebooks")) for k in moved)
    assert any(k.startswith("uniwav.decoder") for k in moved)
    assert ("quantizer.embedding" in moved) == bool(tokenizer.num_codebooks)
    assert torch.equal(tokenizer.quantize(x).codes, codes)
    stats = tokenizer(x, lengths)[1]
    assert set(stats) >= {f"perplexity_{k}" for k in range(tokenizer.num_codebooks)}


def test_padding_changes_no_loss(tokenizer):
    x, lengths = tokenizer.features.extract(*make_speech([9000, 9000]))
    torch.manual_seed(0)
    loss = tokenizer(x, lengths)[0]
    assert loss.isfinite()
    padded = torch.nn.functional.pad(x, (0, 0, 0, 4), value=3.0)
    padding_mask = torch.arange(padded.shape[1]) >= lengths[:, None]
    codes = tokenizer.quantize(padded, padding_mask).codes
    assert torch.equal(codes[..., : x.shape[1]], tokenizer.quantize(x).codes)


def test_checkpoint(tmp_path, tokenizer):
    conf = dict(layer=2, num_codebooks=2, codebook_size=16)
    config = {**make_config(), "tokenizer": conf}
    save_checkpoint(tokenizer, config, tmp_path / "tokenizer")
    loaded = UniWavTokenizer.from_pretrained(tmp_path / "tokenizer")
    speech, lengths = make_speech(LENGTHS)
    codes = tokenizer.encode(speech, lengths)
    assert torch.equal(loaded.encode(speech, lengths), codes)
    with pytest.raises(ValueError, match="found one of the kind tokenizer"):
        load_checkpoint(tmp_path / "tokenizer")
    save_model(tmp_path / "model")
    with pytest.raises(ValueError, match="kind tokenizer .`uniwav cluster` makes one"):
        UniWavTokenizer.from_pretrained(tmp_path / "model")
