"""The HTTP interface of speech servers: ``POST /v1/audio/speech``, as OpenAI's.

    curl http://127.0.0.1:8000/v1/audio/speech -o hello.mp3 \\
        -d '{"model": "voices", "input": "Hello.", "voice": "default"}'

Voices are the model's own and recordings in a folder, by name. Requests are answered
one after another; ``wav`` and ``pcm`` are sent sentence by sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route
except ImportError as error:
    raise ImportError(
        f'the server needs Starlette: pip install "espnet_uniwav[serve]" ({error})'
    ) from error

from espnet_uniwav.apps.tts.speaking import Synthesizer
from espnet_uniwav.apps.tts.streaming import encode_chunks
from espnet_uniwav.io.audio import FORMATS, encode_speech, read_speech
from espnet_uniwav.io.input import read_lines

OWN_VOICE = "default"
ALIAS = "tts-1"  # the model that clients of OpenAI name unless told otherwise
MEDIA_TYPES = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",  # 16 bits, little-endian, one channel
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
}
STREAMED = ("wav", "pcm")
SLOWEST, FASTEST = 0.25, 4.0
MOST_BYTES = 1 << 20  # of a request


@dataclass(frozen=True)
class Voice:
    """A prompt: samples at the rate of the model, and what is said in them."""

    speech: np.ndarray | None = None
    text: str = ""


@dataclass(frozen=True)
class Order:
    """A checked request for speech."""

    text: str
    voice: Voice
    format: str
    speed: float


class BadRequest(ValueError):
    """What a client did wrong.

    Args:
        text: What is expected and what was found.
        param: Name of the field.
        status: HTTP status.
    """

    def __init__(self, text: str, param: str | None = None, status: int = 400):
        super().__init__(text)
        self.param, self.status = param, status


def serve(
    model: str | Path = "voices",
    voices: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_characters: int = 4096,
    max_waiting: int = 64,
    vocoder: str | Path | None = None,
    device: str = "cpu",
    lexicon: Path | None = None,
) -> None:
    """Answer ``POST /v1/audio/speech`` until it is interrupted.

    Args:
        model: Folder or name of a synthesiser; or a model file (.pth) of ESPnet's TTS.
        voices: Folder of recordings to speak like: NAME.wav (or .flac, ...) is the
            voice NAME, and NAME.txt, if it is there, what is said in it.
        host: Address to listen at; 0.0.0.0 lets the whole network in.
        port: Its port.
        max_characters: Longest text of a request.
        max_waiting: Requests that may wait; more are refused with status 429.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        device: Torch device, such as cuda.
        lexicon: Pronunciations before the built-in ones: lines ``word PH PH ...``.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    with _listen(host, port) as listener:
        synthesizer = Synthesizer.from_pretrained(
            model, device=device, vocoder=vocoder, lexicon=lexicon
        )
        known = read_voices(voices, synthesizer.sample_rate)
        app = make_app(synthesizer, str(model), known, max_characters, max_waiting)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        print(f"http://{host}:{port} is ready: {', '.join(known)}. Ctrl-C ends it.")
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """A socket at an address.

    Raises:
        OSError: Naming the address, if it is in use or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror.partition(" (")[0]
        raise OSError(
            f"{host}:{port}: the server cannot listen there ({reason}); try another "
            "--port or --host"
        ) from error


def read_voices(folder: Path | None, sample_rate: int) -> dict[str, Voice]:
    """Read the voices of a folder; the model's own is always among them.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If it holds no recording, or naming one that cannot be read.
    """
    voices = {OWN_VOICE: Voice()}
    if folder is None:
        return voices
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of recordings")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in FORMATS:
            text = path.with_suffix(".txt")
            said = " ".join(read_lines(text)) if text.is_file() else ""
            voices[path.stem] = Voice(read_speech(path, sample_rate), said)
    if len(voices) == 1:
        raise ValueError(f"{folder}: expected recordings NAME.wav, found none")
    return voices


def make_app(
    synthesizer: Synthesizer,
    model: str,
    voices: dict[str, Voice],
    max_characters: int = 4096,
    max_waiting: int = 64,
) -> Starlette:
    """The web application (ASGI); arguments as of ``serve``.

    Routes: ``/v1/audio/speech``, ``/v1/models``, ``/v1/audio/voices``, ``/health``.
    """
    queue = Queue(max_waiting)

    async def speech(request: Request) -> Response:
        body = await read_body(request)
        order = check_order(body, (model, ALIAS), voices, max_characters)
        if order.format in STREAMED:
            chunks = synthesizer.stream(
                order.text, order.voice.speech, order.voice.text, speed=order.speed
            )
            rate = synthesizer.sample_rate if order.format == "wav" else None
            content = await queue.start(encode_chunks(chunks, rate, "speech"))
            return StreamingResponse(content, media_type=MEDIA_TYPES[order.format])
        content = await queue.run(lambda: speak(synthesizer, order))
        return Response(content, media_type=MEDIA_TYPES[order.format])

    async def models(request: Request) -> Response:
        names = [dict(id=n, object="model", owned_by="uniwav") for n in (model, ALIAS)]
        return JSONResponse({"object": "list", "data": names})

    async def list_voices(request: Request) -> Response:
        return JSONResponse({"voices": list(voices)})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "waiting": queue.waiting})

    return Starlette(
        routes=[
            Route("/v1/audio/speech", speech, methods=["POST"]),
            Route("/v1/audio/voices", list_voices),
            Route("/v1/models", models),
            Route("/health", health),
        ],
        exception_handlers={ValueError: refuse, TypeError: refuse},
    )


class Queue:
    """Runs one piece of work after another in a thread; few others may wait.

    Args:
        max_waiting: Requests that may wait, besides the one that is answered.

    Attributes:
        waiting: Requests that wait or are being answered.
    """

    def __init__(self, max_waiting: int):
        self.max_waiting = max_waiting
        self.waiting = 0
        self.turn = asyncio.Semaphore(1)

    @contextlib.asynccontextmanager
    async def own_turn(self) -> AsyncIterator[None]:
        """Wait for the turn of a request.

        Raises:
            BadRequest: With status 429 if too many wait.
        """
        if self.waiting > self.max_waiting:
            raise BadRequest(
                f"{self.max_waiting} requests are waiting: try again later", status=429
            )
        self.waiting += 1
        try:
            async with self.turn:
                yield
        finally:
            self.waiting -= 1

    async def run(self, work: Callable[[], bytes]) -> bytes:
        """The result of work, once it is its turn."""
        async with self.own_turn():
            return await run_in_threadpool(work)

    async def start(self, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Chunks, computed one by one; the first one is there when this returns.

        Errors of the first chunk are raised here, before an answer has begun.
        """
        stream = self._chunks(chunks)
        first = await anext(stream)

        async def all_chunks() -> AsyncIterator[bytes]:
            async with contextlib.aclosing(stream):
                yield first
                async for chunk in stream:
                    yield chunk

        return all_chunks()

    async def _chunks(self, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        async with self.own_turn():
            async for chunk in iterate_in_threadpool(chunks):
                yield chunk


def check_order(
    body: dict, models: tuple[str, ...], voices: dict[str, Voice], max_characters: int
) -> Order:
    """Check the fields of a request.

    Raises:
        BadRequest: Naming the field, what is expected and what was found.
    """
    text = body.get("input")
    if not isinstance(text, str) or not text.strip():
        raise BadRequest("input: expected a text, found none", "input")
    if len(text) > max_characters:
        raise BadRequest(
            f"input: expected at most {max_characters} characters, found {len(text)}",
            "input",
        )
    if (model := body.get("model", models[0])) not in models:
        raise BadRequest(
            f"model: expected one of {list(models)}, found {model!r}", "model", 404
        )
    if (voice := body.get("voice", OWN_VOICE)) not in list(voices):
        raise BadRequest(
            f"voice: expected one of {list(voices)}, found {voice!r}", "voice"
        )
    kind = body.get("response_format", "mp3")
    if kind not in list(MEDIA_TYPES):
        raise BadRequest(
            f"response_format: expected one of {list(MEDIA_TYPES)}, found {kind!r}",
            "response_format",
        )
    speed = body.get("speed", 1.0)
    if not isinstance(speed, (int, float)) or not SLOWEST <= speed <= FASTEST:
        raise BadRequest(
            f"speed: expected {SLOWEST} to {FASTEST}, found {speed!r}", "speed"
        )
    return Order(text, voices[voice], kind, float(speed))


async def read_body(request: Request) -> dict:
    """Read the JSON of a request, of at most ``MOST_BYTES``.

    Raises:
        BadRequest: If it is longer, or no JSON object.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise BadRequest(f"expected at most {MOST_BYTES} bytes", status=413)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"expected a JSON object ({error})") from error
    if not isinstance(body, dict):
        raise BadRequest(f"expected a JSON object, found {type(body).__name__}")
    return body


def refuse(request: Request, error: Exception) -> JSONResponse:
    """What a client reads if a request cannot be answered: OpenAI's error object."""
    status = getattr(error, "status", 400)
    content = {
        "message": str(error),
        "type": "invalid_request_error" if status != 429 else "rate_limit_error",
        "param": getattr(error, "param", None),
        "code": None,
    }
    headers = {"Retry-After": "10"} if status == 429 else None
    return JSONResponse({"error": content}, status, headers)


def speak(synthesizer: Synthesizer, order: Order) -> bytes:
    """An encoded file with the speech of a request."""
    speech = synthesizer(
        order.text, order.voice.speech, order.voice.text, speed=order.speed
    )
    name = f"speech.{order.format}"
    return bytes(encode_speech(name, speech, synthesizer.sample_rate))
