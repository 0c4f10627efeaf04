"""The page as a server: by its API, on this machine alone, without telemetry."""

import re
import socket
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lab.demo.conftest import MOST

pytest.importorskip("gradio")
from espnet_uniwav.io import folder as storage  # noqa: E402
from espnet_uniwav.io.audio import to_int16  # noqa: E402
from espnet_uniwav.lab.demo import server  # noqa: E402
from espnet_uniwav.lab.demo.blocks import build_page  # noqa: E402
from espnet_uniwav.lab.demo.model_loader import Models  # noqa: E402
from espnet_uniwav.lab.demo.tabs import Tabs  # noqa: E402

HERE = ("127.0.0.1", "::1", "localhost")


@pytest.fixture
def elsewhere(monkeypatch):
    """Addresses of other machines that were asked for."""
    asked, connect = [], socket.socket.connect

    def connect_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in HERE:
            asked.append(address)
            raise OSError("no network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    return asked


@pytest.fixture
def page(tabs, tmp_path, monkeypatch, elsewhere):
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    page = server.launch(tabs, tmp_path)
    yield page
    page.close()


@pytest.mark.integration
def test_api(page, tabs, folder, elsewhere, tmp_path):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(page.local_url, verbose=False)
    path = str(folder / "speech.wav")
    speech, voice = handle_file(path), handle_file(str(folder / "voice.wav"))
    gap = dict(recording=speech, start=0.4, end=0.6, num_steps=1, seed=1)
    heard, said, pictures = client.predict(**gap, api_name="/fill")
    expected = tabs.fill(path, 0.4, 0.6, num_steps=1, seed=1)
    samples, rate = soundfile.read(heard, dtype="int16")
    assert rate == 16000
    assert np.array_equal(samples, to_int16("expected", expected.speech))
    assert said.startswith("0.20 of 1.00 s are generated. ")
    assert re.search(r"for 1\.00 s of speech: real-time factor \d+\.\d\d; before", said)
    assert pictures == expected.pictures

    jobs = [client.submit(**{**gap, "seed": i}, api_name="/fill") for i in range(3)]
    assert len({Path(job.result()[0]).read_bytes() for job in jobs}) == 3

    text = dict(text="AB", prompt=voice, prompt_text="", speed=1, num_steps=1, seed=0)
    spoken = soundfile.info(client.predict(**text, api_name="/speak")[0])
    assert spoken.frames == len(tabs.speak("AB", voice["path"], num_steps=1).speech)
    words = dict(text="bee ah", replace="bee", by="DD", speed=1, num_steps=1, seed=0)
    edited = client.predict(recording=speech, **words, api_name="/edit")
    assert "0.40 to 0.60 s were replaced" in edited[1]
    for name, count in zip(tabs.models.tokenizers, (1, 2)):
        coded = dict(recording=speech, tokenizer=name, prompt=None)
        coded = client.predict(**coded, num_steps=1, seed=0, api_name="/tokens")
        assert soundfile.info(coded[0]).duration == 1.0
        assert len(coded[3].splitlines()) == count
    said, pictures, _ = client.predict(recording=speech, api_name="/look")
    assert pictures.count("<img") == 3 and "s of computing" in said

    for name, message in (
        ("broken.wav", "^'?broken.wav: cannot be read as audio .*convert it to wav"),
        ("long.wav", f"^'?long.wav: expected at most {MOST:g} s"),
    ):
        bad = {**gap, "recording": handle_file(str(folder / name))}
        with pytest.raises(AppError, match=message):
            client.predict(**bad, api_name="/fill")
    client.close()
    assert elsewhere == [] and list(Path(tmp_path).rglob("speech.wav"))


@pytest.mark.integration
def test_the_page_is_local_and_loads_nothing_from_elsewhere(page, elsewhere):
    assert page.local_url.startswith("http://127.0.0.1:") and page.share_url is None
    assert page.analytics_enabled is False
    with urllib.request.urlopen(page.local_url) as answer:
        policy, text = answer.headers["content-security-policy"], answer.read().decode()
    assert policy.startswith("default-src 'self' ") and "http" not in policy
    loaded = re.findall(
        r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?://[^\"]*)", text
    )
    assert [url for url in loaded if not url.startswith(page.local_url)] == []
    assert "fonts.googleapis" not in text and elsewhere == []


@pytest.mark.integration
def test_a_port_that_is_in_use(page, tabs, tmp_path):
    with pytest.raises(OSError, match=f"--port {page.server_port}: cannot be used"):
        server.launch(tabs, tmp_path, port=page.server_port)


def test_tabs_without_a_model_say_which_option_gives_one(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "PACKAGED", tmp_path)
    shown = str(build_page(Tabs(Models(), MOST)).get_config_file()["components"])
    for option in ("checkpoint", "tts", "tokenizer"):
        assert f"uniwav demo --{option} MODEL" in shown
        assert f"With `--{option}` the page shows" in shown or option == "tts"
