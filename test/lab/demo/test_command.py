"""``uniwav demo``: what stops it before the page is there."""

import sys

import pytest
from factories import command

main = command("demo")


def test_without_gradio(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "espnet_uniwav.lab.demo.server", raising=False)
    message = r'^demo: the page needs Gradio: pip install "espnet_uniwav\[demo\]"'
    with pytest.raises(SystemExit, match=message):
        main([])


@pytest.mark.parametrize(
    "options, message",
    [
        (["--port", "70000"], "^demo: --port: expected a whole number from 1 to 65535"),
        (["--max_seconds", "2h"], "^demo: --max_seconds: expected a number .* to 3600"),
        (["--tts", "nowhere"], "^demo: --tts: nowhere is no UniWav checkpoint"),
    ],
)
def test_options_of_no_use(options, message):
    pytest.importorskip("gradio")
    with pytest.raises(SystemExit, match=message):
        main(options)
