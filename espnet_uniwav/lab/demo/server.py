"""The server of the page: on this machine alone by default."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

try:
    import gradio
    import matplotlib  # noqa: F401
    from starlette.middleware import Middleware
except ImportError as error:
    raise ImportError(
        f'the page needs Gradio: pip install "espnet_uniwav[demo]" ({error})'
    ) from error

from espnet_uniwav.lab.demo.blocks import build_page
from espnet_uniwav.lab.demo.model_loader import Models
from espnet_uniwav.lab.demo.tabs import Tabs

# The browser loads nothing from other machines, whatever Gradio's page asks for.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "form-action 'self'; frame-ancestors 'self'"
)
WAITING = 20
# Gradio's own fonts are loaded from elsewhere in some themes.
FONTS = ["system-ui", "sans-serif"]
MONO = ["ui-monospace", "monospace"]


def serve(
    checkpoint: Path | None = None,
    tts: Path | None = None,
    tokenizer: Sequence[Path] | None = None,
    vocoder: Path | None = None,
    device: str = "cpu",
    max_seconds: float = 60.0,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    lexicon: Path | None = None,
) -> None:
    """Serve the page until it is interrupted or terminated, then delete recordings.

    Args:
        checkpoint: Folder of ``uniwav export``, or a name; None: a packaged one.
        tts: Model fine-tuned to speak: a folder, name or .pth file; None: packaged.
        tokenizer: Checkpoints of tokenizers, one for each rate; None: a packaged one.
        vocoder: Checkpoint or none (Griffin-Lim); None: the model's, else the packaged.
        device: Torch device, such as cuda.
        max_seconds: Longest recording.
        host: Address to listen at; 0.0.0.0 lets the whole network in.
        port: Its port; None: the first free one from 7860 on.
        share: Make a public address, through a server of Gradio's.
        lexicon: Pronunciations before the built-in ones: lines ``word PH PH ...``.

    Raises:
        ValueError, OSError: Naming the option and what to do.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    models = Models(checkpoint, tts, tokenizer or (), vocoder, device, lexicon)
    with tempfile.TemporaryDirectory(prefix="uniwav-demo-") as recordings:
        page = launch(Tabs(models, max_seconds), recordings, host, port, share)
        for address in filter(None, (page.local_url, page.share_url)):
            print(f"{address} is ready: open it in a browser. Ctrl-C ends it.")
        page.block_thread()


def launch(
    tabs: Tabs,
    recordings: str | Path,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
) -> gradio.Blocks:
    """Start the server in a thread.

    Args:
        tabs: What the page does.
        recordings: Folder for uploaded and generated files.
        host, port, share: As of ``serve``.

    Returns:
        The page.

    Raises:
        OSError: If the port is in use.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(recordings)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Gradio's own use of Starlette
    warnings.filterwarnings("ignore", "'HTTP_422_UNPROCESSABLE_ENTITY' is deprecated")
    page = build_page(tabs).queue(max_size=WAITING)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            ssr_mode=False,
            footer_links=[],
            enable_monitoring=False,
            theme=gradio.themes.Base(font=FONTS, font_mono=MONO),
            app_kwargs={"middleware": [Middleware(OwnContent)]},
        )
    except OSError as error:
        raise OSError(
            f"--host {host}, --port {port}: cannot be used ({error}); another program "
            "may have the port: give another one, or none"
        ) from error
    return page


class OwnContent:
    """Adds ``POLICY`` to every answer of a web application.

    Args:
        app: The application (ASGI).
    """

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        """Answer a request."""

        async def send_with_policy(message: dict) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message["headers"] = [*message.get("headers", ()), policy]
            await send(message)

        await self.app(scope, receive, send_with_policy)
