"""One table of what is registered where: ESPnet2's own tasks, S3PRL's own hub."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys

from espnet_uniwav.integrations.espnet.quiet import QUIET, quietly

OURS = "espnet_uniwav.integrations.espnet"
FRONTEND = f"{OURS}.frontend:UniWavEncoderFrontend"
DOWNSTREAM = (
    "asr",
    "asr_transducer",
    "asvspoof",
    "cls",
    "diar",
    "lid",
    "s2st",
    "s2t",
    "s2t_ctc",
    "slu",
    "spk",
    "st",
)

# module of the task -> (its ClassChoices, our name, our class)
ESPNET = {
    **{
        f"espnet2.tasks.{task}": (("frontend_choices", "uniwav", FRONTEND),)
        for task in DOWNSTREAM
    },
    "espnet2.tasks.asr": (
        ("frontend_choices", "uniwav", FRONTEND),
        ("model_choices", "uniwav", f"{OURS}.asr:UniWavASRModel"),
    ),
    "espnet2.tasks.ssl": (
        ("frontend_choices", "uniwav", f"{OURS}.ssl_frontend:UniWavFrontend"),
        ("encoder_choices", "uniwav", f"{OURS}.ssl:UniWavEncoder"),
        ("model_choices", "uniwav", f"{OURS}.ssl:UniWavSSLModel"),
        ("model_choices", "uniwav_tokenizer", f"{OURS}.tokenizer:UniWavTokenizerModel"),
        (
            "loss_choices",
            "masked_prediction",
            f"{OURS}.ssl_losses:MaskedPredictionLoss",
        ),
        ("util_choices", "span_mask", "espnet_uniwav.core.ssl.mask:SpanMask"),
        ("util_choices", "perturb", "espnet_uniwav.core.ssl.perturb:Perturb"),
    ),
    "espnet2.tasks.gan_codec": (
        ("codec_choices", "uniwav", f"{OURS}.tokenizer_codec:UniWavCodec"),
        ("codec_choices", "uniwav_vocoder", f"{OURS}.vocoder:UniWavVocoder"),
        ("codec_choices", "uniwav_flow_vocoder", f"{OURS}.vocoder:UniWavFlowVocoder"),
    ),
    "espnet2.tasks.tts": (
        (
            "feats_extractor_choices",
            "uniwav",
            f"{OURS}.tts_features:UniWavFeatsExtract",
        ),
        ("tts_choices", "uniwav", f"{OURS}.tts:UniWavTTS"),
    ),
}

# S3PRL's hub -> our functions, found there by their own names
S3PRL = {
    "s3prl.hub": (
        "espnet_uniwav.integrations.s3prl.hubconf:uniwav_local",
        "espnet_uniwav.integrations.s3prl.hubconf:uniwav_random_local",
        "espnet_uniwav.integrations.s3prl.hubconf:uniwav_url",
    ),
}

# module -> what is called before it runs
BEFORE_IMPORT = {
    "s3prl": "espnet_uniwav.integrations.s3prl.compat:patch_s3prl",
    "s3prl.dataio.corpus.base": "espnet_uniwav.integrations.s3prl.compat:patch_pandas",
}

# module -> what is called with it after its import
AFTER_IMPORT = {
    "espnet2.tasks.abs_task": f"{OURS}.exported:take_exported",
    "espnet2.tasks.ssl": f"{OURS}.ssl_losses:add_losses",
    "espnet2.train.trainer": f"{OURS}.safe_training:protect",
    "espnetez.task": f"{OURS}.ez:add_ssl",
}


def register() -> None:
    """Register everything, now or as soon as ESPnet or S3PRL imports the module.

    Loads nothing before that. Repeated calls have no effect.

    Raises:
        ValueError: If a name is already taken by another package.
        TypeError: If a class does not derive from what the task expects.
    """
    if not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
    for name in _hooked():
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            prepare(name)
            add(module)


def register_s3prl() -> None:
    """Import S3PRL's hub with our upstreams in it; see ``register`` for the errors."""
    register()
    importlib.import_module("s3prl.hub")


def prepare(name: str) -> None:
    """Do what one module needs before it runs."""
    if name in BEFORE_IMPORT:
        _load(BEFORE_IMPORT[name])()


def add(module) -> None:
    """Add our entries to one imported module."""
    if module.__name__ in ESPNET:
        add_choices(module)
    if module.__name__ in S3PRL:
        add_upstreams(module)
    if module.__name__ in AFTER_IMPORT:
        _load(AFTER_IMPORT[module.__name__])(module)


def add_upstreams(hub) -> None:
    """Add our functions to the imported hub of S3PRL."""
    for target in S3PRL[hub.__name__]:
        ours = _load(target)
        taken = getattr(hub, ours.__name__, ours)
        if taken is not ours:
            raise _taken(hub.__name__, ours.__name__, taken)
        setattr(hub, ours.__name__, ours)


def add_choices(module) -> None:
    """Add our classes to the ClassChoices of one imported task module."""
    for choices_name, name, target in ESPNET[module.__name__]:
        cls = _load(target)
        add_choice(getattr(module, choices_name), name, cls)
        if hasattr(cls, "adapt_task"):
            for task in _tasks_of(module):
                cls.adapt_task(task)


def add_choice(choices, name: str, cls: type) -> None:
    """Add one class to one ``ClassChoices``; see ``register`` for the errors."""
    taken = choices.classes.get(name)
    if taken is cls:
        return
    if taken is not None:
        raise _taken(choices.name, name, taken)
    if choices.base_type is not None and not issubclass(cls, choices.base_type):
        raise TypeError(
            f"{choices.name}: {cls.__qualname__} must derive from "
            f"{choices.base_type.__qualname__}"
        )
    choices.classes[name] = cls


def _taken(where: str, name: str, by) -> ValueError:
    known = hasattr(by, "__module__") and hasattr(by, "__qualname__")
    by = f"{by.__module__}.{by.__qualname__}" if known else repr(by)
    return ValueError(
        f"{where}: {name!r} is already taken by {by}: remove that registration, or "
        "rename ours in espnet_uniwav/plugin.py"
    )


def _tasks_of(module) -> list[type]:
    """The task classes that a module defines."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and "build_model" in vars(value)
    ]


def _hooked() -> set[str]:
    """Modules whose import is hooked: before, around or after it."""
    return {*ESPNET, *S3PRL, *BEFORE_IMPORT, *QUIET, *AFTER_IMPORT}


def _load(target: str):
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds modules by the other finders; runs our hooks before and after them."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in _hooked():
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _ThenRegister(spec.loader)
                return spec
        return None


class _ThenRegister(importlib.abc.Loader):
    """A loader that adds our entries after executing the module."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        prepare(module.__name__)
        with quietly(module):
            self._loader.exec_module(module)
        add(module)
