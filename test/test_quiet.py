"""Hidden messages of other packages, and that nothing else is hidden."""

import warnings
from types import ModuleType

import pytest

from espnet_uniwav.integrations.espnet import quiet


@pytest.mark.parametrize(
    "package, stream", [("espnet", "out"), ("espnet2.legacy", "err")]
)
def test_of_flash_attention_one_line_is_dropped(capsys, package, stream):
    """ESPnet 202609 and later print it to standard error."""
    module = ModuleType(f"{package}.nets.pytorch_backend.transformer.attention")
    more = f"file=__import__('sys').std{stream}"
    code = f"print({quiet.NO_FLASH_ATTENTION!r}, {more}); print('No', 'memory', {more})"
    with quiet.quietly(module):
        exec(code, vars(module))
    assert getattr(capsys.readouterr(), stream) == "No memory\n"
    exec(code, vars(module))
    assert quiet.NO_FLASH_ATTENTION in getattr(capsys.readouterr(), stream)


def test_downloads_of_g2p_are_quiet_and_no_others(monkeypatch):
    import nltk

    calls = []
    monkeypatch.setattr(nltk, "download", lambda *a, **more: calls.append(more))
    module = ModuleType("g2p_en.g2p")
    with pytest.raises(ZeroDivisionError), quiet.quietly(module):
        nltk.download("cmudict")
        1 / 0
    nltk.download("cmudict")
    assert calls[0]["quiet"] and calls[0]["print_error_to"].getvalue() == ""
    assert calls[1] == {}


BACKEND = "torchaudio._backend.set_audio_backend has been deprecated. And so on."
LOAD = "In 2.9, this function's implementation will be changed."
AUTOCAST = "`torch.cuda.amp.autocast(args...)` is deprecated."


@pytest.mark.parametrize(
    "module, text, category, where, shown",
    [
        ("s3prl.hub", BACKEND, UserWarning, "s3prl.hub", 0),
        ("s3prl.hub", LOAD, UserWarning, "torchaudio._backend.utils", 0),
        ("s3prl.hub", BACKEND, UserWarning, "mine", 1),
        ("s3prl.hub", "Other.", UserWarning, "s3prl.hub", 1),
        ("espnet2.train.abs_espnet_model", AUTOCAST, FutureWarning, "espnet2.a", 0),
        ("espnet2.train.abs_espnet_model", AUTOCAST, FutureWarning, "mine", 1),
    ],
)
def test_warnings_of_others_about_others(module, text, category, where, shown):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet.quietly(ModuleType(module)):
            pass
        warnings.warn_explicit(text, category, "file.py", 1, where)
    assert len(seen) == shown


def test_other_modules_print(capsys):
    module = ModuleType("other")
    with quiet.quietly(module):
        exec("print('said')", vars(module))
    assert capsys.readouterr().out == "said\n"
