import pytest
from factories import make_speech, make_synthesizer

from espnet_uniwav.apps.tts.synthesizer import Synthesizer

LETTERS = ["<blank>", "<unk>", "A", "B", "C", "D", "SIL", "<sos/eos>"]


@pytest.fixture(scope="session")
def letters():
    """A network that speaks the letters A to D."""
    return make_synthesizer(LETTERS)


@pytest.fixture
def synthesizer(letters):
    """Speaks letters, and has aligned no prompt before."""
    return Synthesizer(letters, lambda text: list(text.replace(" ", "")))


@pytest.fixture
def recording():
    """One second."""
    return make_speech([16000])[0][0].numpy()
