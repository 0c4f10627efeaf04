"""Names that S3PRL needs: supplied where missing, untouched where present."""

import argparse
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import soundfile
import torch
from factories import ROOT

from espnet_uniwav.integrations.s3prl import compat, sox_effects


def make_torchaudio(**attributes):
    """torchaudio 2.8 with libsox, unless told otherwise."""
    names = ("set_audio_backend", "load", "info")
    functions = {name: (lambda *args: "theirs") for name in names}
    effects = SimpleNamespace(
        effect_names=dict, apply_effects_file="theirs", apply_effects_tensor="theirs"
    )
    return SimpleNamespace(**{**functions, "sox_effects": effects, **attributes})


def fail():
    raise OSError("libsox.so: cannot open shared object file")


@pytest.fixture
def use(monkeypatch):
    """Put another torchaudio in the place of the real one."""
    monkeypatch.delitem(sys.modules, "torchaudio.sox_effects", raising=False)
    safe = torch.serialization.get_safe_globals()

    def put(torchaudio):
        monkeypatch.setattr(compat, "torchaudio", torchaudio)
        return torchaudio

    yield put
    sys.modules.pop("torchaudio.sox_effects", None)
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(safe)


def test_complete_torchaudio_is_left_alone(use):
    torchaudio = use(make_torchaudio())
    before = dict(vars(torchaudio)), dict(vars(torchaudio.sox_effects))
    torch.serialization.add_safe_globals([argparse.Namespace])
    assert compat.patch_torch() == []
    assert (vars(torchaudio), vars(torchaudio.sox_effects)) == before


def test_torchaudio_without_libsox(use):
    """2.8 as most machines have it: only the two functions that fail are replaced."""
    torchaudio = use(make_torchaudio())
    torchaudio.sox_effects.effect_names = fail
    before = {k: v for k, v in vars(torchaudio).items()}
    assert "torchaudio.sox_effects" in compat.patch_torch()
    assert vars(torchaudio) == before
    effects = torchaudio.sox_effects
    assert effects.apply_effects_file is sox_effects.apply_effects_file
    assert effects.apply_effects_tensor is sox_effects.apply_effects_tensor
    assert compat.patch_torch() == []


@pytest.mark.parametrize("torchcodec", (True, False))
def test_torchaudio_without_io(use, monkeypatch, torchcodec):
    """2.9 and later: load is theirs where TorchCodec makes it work."""
    torchaudio = use(SimpleNamespace(load="theirs"))
    monkeypatch.setattr(compat, "_can_import", lambda name: torchcodec)
    torch.serialization.clear_safe_globals()
    supplied = set(compat.patch_torch())
    assert supplied == {
        "torchaudio.set_audio_backend",
        "torchaudio.info",
        "torchaudio.sox_effects",
        "torch.load of argparse.Namespace",
        *(() if torchcodec else ("torchaudio.load",)),
    }
    assert torchaudio.load == ("theirs" if torchcodec else compat.load)
    assert torchaudio.set_audio_backend("sox_io") is None
    assert sys.modules["torchaudio.sox_effects"] is sox_effects
    assert compat.patch_torch() == []


def test_load_and_info(tmp_path):
    x = torch.randint(-(2**15), 2**15, (2, 100)) / 2**15
    path = tmp_path / "a.wav"
    soundfile.write(path, x.T.numpy(), 8000, subtype="PCM_16")
    for uri in (path, str(path)):
        y, rate = compat.load(uri, format="wav")
        assert torch.equal(y, x) and rate == 8000
    with open(path, "rb") as file:
        assert torch.equal(compat.load(file)[0], x)
    y, _ = compat.load(path, frame_offset=10, num_frames=5, channels_first=False)
    assert torch.equal(y, x[:, 10:15].T)
    assert compat.info(str(path)) == (8000, 100, 2, 16, "PCM_16")


def test_arguments_of_an_experiment_can_be_loaded(use, tmp_path):
    """As ``run_downstream -m evaluate -e`` does, see s3prl/run_downstream.py."""
    use(make_torchaudio())
    path = tmp_path / "states-1.ckpt"
    torch.save({"Args": argparse.Namespace(mode="train"), "Step": 1}, path)
    torch.serialization.clear_safe_globals()
    compat.patch_torch()
    assert torch.load(path, map_location="cpu")["Args"].mode == "train"


@pytest.mark.parametrize("version", (1, 2))
def test_pandas(monkeypatch, version):
    class Series(dict):
        pass

    if version == 1:
        Series.iteritems = lambda self: "theirs"
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(Series=Series))
    compat.patch_pandas()
    found = Series(a=1).iteritems()
    assert found == "theirs" if version == 1 else list(found) == [("a", 1)]


STRIPPED = """
import sys
import torchaudio
for name in ("set_audio_backend", "info", "sox_effects"):
    vars(torchaudio).pop(name, None)
for name in [n for n in sys.modules if n.startswith("torchaudio.sox_effects")]:
    del sys.modules[name]
sys.modules["torchaudio.sox_effects"] = sys.modules["torchcodec"] = None
try:
    import s3prl.hub
except (AttributeError, ImportError) as error:
    print("stock:", error)
for name in [n for n in sys.modules if n.startswith("s3prl")]:
    del sys.modules[name]
from espnet_uniwav import plugin
plugin.register()
import s3prl.hub
print([n for n in s3prl.hub.options() if n.startswith("uniwav")])
import s3prl.downstream.speech_commands.dataset as dataset
print(dataset.apply_effects_file.__module__, torchaudio.load.__module__)
"""


@pytest.mark.integration
def test_stock_hub_imports_beside_a_stripped_torchaudio():
    pytest.importorskip("s3prl")
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STRIPPED],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    for line in (
        "stock: module 'torchaudio' has no attribute 'set_audio_backend'",
        "['uniwav_local', 'uniwav_random_local', 'uniwav_url']",
        "espnet_uniwav.integrations.s3prl.sox_effects "
        "espnet_uniwav.integrations.s3prl.compat",
    ):
        assert line in result.stdout.splitlines(), result.stderr


@pytest.mark.parametrize("version", (0, 1))
def test_huggingface_hub(monkeypatch, version):
    """1.0 and later lack two names that ``run_downstream`` imports."""
    hub = SimpleNamespace(get_token=lambda: "secret", login=print)
    if version == 0:
        hub.HfFolder = hub.Repository = "theirs"
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    compat.patch_huggingface_hub()
    if version == 0:
        assert hub.HfFolder == hub.Repository == "theirs"
        return
    assert hub.HfFolder.get_token() == "secret"
    with pytest.raises(ImportError, match="huggingface_hub 1.0"):
        hub.Repository(local_dir="x", clone_from="y")


def test_names_are_there_before_any_module_of_s3prl(tmp_path):
    """A fork of S3PRL imports huggingface_hub before its own hub."""
    (tmp_path / "s3prl").mkdir()
    (tmp_path / "s3prl/__init__.py").touch()
    (tmp_path / "huggingface_hub.py").touch()
    early = "from huggingface_hub import HfFolder\nprint(HfFolder.__module__)\n"
    (tmp_path / "s3prl/early.py").write_text(early)
    code = "from espnet_uniwav import plugin; plugin.register(); import s3prl.early"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )
    assert result.stdout == "espnet_uniwav.integrations.s3prl.compat\n", result.stderr
