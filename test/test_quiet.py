"""What is kept from the screen, and that nothing else is."""

from __future__ import annotations

from types import ModuleType

import pytest

from espnet_uniwav import quiet

ATTENTION = "espnet.nets.pytorch_backend.transformer.attention"


def test_of_flash_attention_one_line_is_dropped(capsys):
    module = ModuleType(ATTENTION)
    code = f"print({quiet.NO_FLASH_ATTENTION!r}); print('No', 'memory')"
    with quiet.quietly(module):
        exec(code, vars(module))
    assert capsys.readouterr().out == "No memory\n"
    exec(code, vars(module))
    assert quiet.NO_FLASH_ATTENTION in capsys.readouterr().out


def test_downloads_of_g2p_are_quiet_and_no_others(monkeypatch):
    nltk = pytest.importorskip("nltk")
    calls = []
    monkeypatch.setattr(nltk, "download", lambda *a, **more: calls.append(more))
    module = ModuleType("g2p_en.g2p")
    with pytest.raises(ZeroDivisionError), quiet.quietly(module):
        nltk.download("cmudict")
        1 / 0
    nltk.download("cmudict")
    assert calls[0]["quiet"] and calls[0]["print_error_to"].getvalue() == ""
    assert calls[1] == {}


def test_other_modules_print(capsys):
    module = ModuleType("other")
    with quiet.quietly(module):
        exec("print('said')", vars(module))
    assert capsys.readouterr().out == "said\n"
