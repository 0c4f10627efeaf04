"""The HTTP interface: formats, voices, limits, and OpenAI's own client."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import re
import socket
import threading
import time

import numpy as np
import pytest
import soundfile
from factories import make_speech

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

import uvicorn  # noqa: E402

from espnet_uniwav.integrations.server import (  # noqa: E402
    OWN_VOICE,
    Voice,
    make_app,
    read_voices,
    serve,
)

RATE = 16000
SPEECH = "/v1/audio/speech"


class Speaker:
    """Speaks 0.1 s for every word; the voice is the level. One at a time."""

    sample_rate = RATE

    def __init__(self):
        self.active = threading.Lock()
        self.calls = []

    def stream(self, text, prompt=None, prompt_text="", speed=1.0):
        if "%" in text:
            raise ValueError("the text holds '%': spell it out")
        return self._chunks(text.split(), prompt, prompt_text, speed)

    def _chunks(self, words, prompt, prompt_text, speed):
        for word in words:
            assert self.active.acquire(blocking=False), "two at once"
            time.sleep(0.001)
            self.calls.append((word, prompt_text, speed))
            self.active.release()
            level = 0.5 if prompt is None else float(np.abs(prompt).max()) / 2
            yield np.full(round(1600 / speed), level, np.float32)

    def __call__(self, *args, **options):
        return np.concatenate(list(self.stream(*args, **options)))


@pytest.fixture
def speaker():
    return Speaker()


@contextlib.contextmanager
def running(app):
    config = uvicorn.Config(app, port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(speaker):
    voices = {OWN_VOICE: Voice(), "me": Voice(np.ones(9, np.float32), "What I say.")}
    with running(make_app(speaker, "voices", voices, 100, 50)) as client:
        yield client


def order(**fields):
    return {"model": "voices", "input": "one two", "voice": OWN_VOICE, **fields}


@pytest.mark.parametrize(
    "kind, mime",
    [("wav", "audio/wav"), ("flac", "audio/flac"), ("mp3", "audio/mpeg")],
)
def test_formats(client, kind, mime):
    answer = client.post(SPEECH, json=order(response_format=kind))
    assert answer.status_code == 200 and answer.headers["content-type"] == mime
    samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert rate == RATE and len(samples) == pytest.approx(3200, abs=2400)
    assert samples[1200] == pytest.approx(0.5, abs=0.05)


def test_opus_and_raw_samples(client):
    answer = client.post(SPEECH, json=order(response_format="opus"))
    assert (
        answer.headers["content-type"] == "audio/ogg" and b"OpusHead" in answer.content
    )
    answer = client.post(SPEECH, json=order(response_format="pcm", speed=2.0))
    samples = np.frombuffer(answer.content, "<i2")
    assert len(samples) == 1600 and set(samples) == {16384}


def test_speech_is_sent_while_it_is_computed(client, speaker):
    with client.stream("POST", SPEECH, json=order(response_format="pcm")) as answer:
        next(answer.iter_bytes(100))
    assert [word for word, *_ in speaker.calls][0] == "one"


def test_a_voice_of_a_folder(client, speaker):
    answer = client.post(SPEECH, json=order(voice="me", response_format="pcm"))
    assert speaker.calls[0] == ("one", "What I say.", 1.0)
    assert answer.status_code == 200
    assert client.get("/v1/audio/voices").json() == {"voices": [OWN_VOICE, "me"]}
    names = [own["id"] for own in client.get("/v1/models").json()["data"]]
    assert names == ["voices", "tts-1"]
    assert client.get("/health").json() == {"status": "ok", "waiting": 0}


@pytest.mark.parametrize(
    "fields, status, param, text",
    [
        (dict(voice="../me"), 400, "voice", "expected one of .'default', 'me'."),
        (dict(model="other"), 404, "model", "'voices', 'tts-1'"),
        (dict(voice=["me"]), 400, "voice", "found .'me'."),
        (dict(input=" "), 400, "input", "expected a text"),
        (dict(input=["a"]), 400, "input", "expected a text"),
        (dict(input="a" * 101), 400, "input", "at most 100 characters, found 101"),
        (dict(response_format={}), 400, "response_format", "found {}"),
        (dict(response_format="aac"), 400, "response_format", "'opus'"),
        (dict(speed=9), 400, "speed", "0.25 to 4.0, found 9"),
        (dict(speed="fast"), 400, "speed", "found 'fast'"),
        (dict(input="5 %", response_format="wav"), 400, None, "spell it out"),
        (dict(input="5 %"), 400, None, "spell it out"),
    ],
)
def test_what_is_refused(client, fields, status, param, text):
    answer = client.post(SPEECH, json=order(**fields))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert re.search(text, error["message"]), error


def test_no_json_and_too_much_of_it(client):
    assert client.post(SPEECH, content=b"{").status_code == 400
    assert client.post(SPEECH, json=["a"]).status_code == 400
    assert client.post(SPEECH, content=b"[" * 100_000).status_code == 400
    assert client.post(SPEECH, content=b"x" * (2 << 20)).status_code == 413
    assert client.get(SPEECH).status_code == 405


def test_fifty_requests_at_once(client, speaker):
    def ask(number):
        text = f"w{number} end"
        return client.post(SPEECH, json=order(input=text, response_format="pcm"))

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert all(own.status_code == 200 and len(own.content) == 6400 for own in answers)
    assert sorted(w for w, *_ in speaker.calls if w != "end") == sorted(
        f"w{n}" for n in range(50)
    )


def test_a_full_queue(speaker):
    with running(make_app(speaker, "voices", {OWN_VOICE: Voice()}, 10**4, 1)) as client:
        long = order(input="word " * 300)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.post(SPEECH, json=long), range(8)))
        codes = [own.status_code for own in answers]
        assert 200 in codes and 429 in codes and set(codes) == {200, 429}
        refused = answers[codes.index(429)]
        assert refused.headers["retry-after"] and "try again" in refused.text
        assert client.post(SPEECH, json=order()).status_code == 200


def test_the_client_of_openai(client):
    openai = pytest.importorskip("openai")
    theirs = openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none")
    speech = theirs.audio.speech.create(
        model="tts-1", voice="default", input="one two", response_format="wav"
    )
    assert len(speech.content) == 44 + 2 * 3200
    with theirs.audio.speech.with_streaming_response.create(
        model="voices", voice="me", input="one two three", response_format="pcm"
    ) as answer:
        assert sum(len(part) for part in answer.iter_bytes()) == 3 * 3200
    with pytest.raises(openai.BadRequestError, match="voice: expected one of"):
        theirs.audio.speech.create(model="voices", voice="alloy", input="one")
    assert [own.id for own in theirs.models.list()] == ["voices", "tts-1"]


def test_a_port_in_use(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: .*--port"):
            serve(port=port)
    assert "ready" not in capsys.readouterr().out


def test_voices_of_a_folder(tmp_path):
    speech, _ = make_speech([8000])
    soundfile.write(tmp_path / "Ann.wav", speech[0].numpy(), 8000)
    (tmp_path / "Ann.txt").write_text("Good morning.\n")
    (tmp_path / "notes.md").write_text("other")
    voices = read_voices(tmp_path, RATE)
    assert list(voices) == [OWN_VOICE, "Ann"] and voices["Ann"].text == "Good morning."
    assert len(voices["Ann"].speech) == RATE
    (tmp_path / "Ann.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match="Ann.txt.*UTF-8"):
        read_voices(tmp_path, RATE)
    with pytest.raises(ValueError, match="expected recordings"):
        read_voices(_empty(tmp_path), RATE)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_voices(tmp_path / "nowhere", RATE)


def _empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty"
