"""Tiny models behind the page: a checkpoint, a tokenizer, and a voice."""

import pytest
import soundfile
from factories import make_config, make_model, make_speech, make_synthesizer, save_model

pytest.importorskip("matplotlib")
from espnet_uniwav.apps.phones import pocketsphinx_aligner  # noqa: E402
from espnet_uniwav.apps.phones.alignment import Alignment  # noqa: E402
from espnet_uniwav.apps.phones.ctm import Segment  # noqa: E402
from espnet_uniwav.apps.tokenizer.fit import fit_tokenizer  # noqa: E402
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer  # noqa: E402
from espnet_uniwav.apps.tts.synthesizer import Synthesizer  # noqa: E402
from espnet_uniwav.core.checkpoint import save_checkpoint  # noqa: E402
from espnet_uniwav.lab.demo.model_loader import Models  # noqa: E402
from espnet_uniwav.lab.demo.tabs import Tabs  # noqa: E402

TOKENS = ["<blank>", "<unk>", "A", "B", "C", "D", "SIL", "<sos/eos>"]
MOST = 3.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Checkpoint ``model``, tokenizers ``one`` and ``two``, recordings, no voice."""
    folder = tmp_path_factory.mktemp("demo")
    save_model(folder / "model")
    for name, count in (("one", 1), ("two", 2)):
        conf = dict(layer=2, num_codebooks=count, codebook_size=16)
        tokenizer = UniWavTokenizer(make_model(), **conf).eval()
        fit_tokenizer(tokenizer, list(make_speech([16000, 16000])[0]))
        config = {**make_config(), "tokenizer": conf}
        save_checkpoint(tokenizer, config, folder / name)
    for name, length in (("speech", 16000), ("voice", 12000), ("long", 64000)):
        speech = make_speech([length], seed=length)[0][0].numpy()
        soundfile.write(folder / f"{name}.wav", speech, 16000)
    (folder / "broken.wav").write_bytes(b"no audio at all")
    (folder / "voice.pth").touch()
    return folder


@pytest.fixture
def tabs(folder, monkeypatch):
    """All tabs; the voice spells A to D, and the aligner finds ``bee`` and ``ah``."""
    synthesizer = Synthesizer(make_synthesizer(TOKENS), list)
    monkeypatch.setattr(
        Synthesizer, "from_pretrained", lambda *args, **options: synthesizer
    )
    phones = [Segment(0.0, 0.4, "SIL"), Segment(0.4, 0.6, "B"), Segment(0.6, 1.0, "A")]
    aligned = Alignment(phones, [Segment(0.4, 0.6, "bee"), Segment(0.6, 1.0, "ah")])
    aligner = "PocketSphinxAligner"
    monkeypatch.setattr(pocketsphinx_aligner, aligner, lambda **_: lambda _: aligned)
    tokenizers = [folder / "one", folder / "two"]
    return Tabs(Models(folder / "model", folder / "voice.pth", tokenizers), MOST)
