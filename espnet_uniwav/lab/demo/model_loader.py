"""The models of the page: checked at the start, loaded when first used."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from espnet_uniwav.apps.infill.recording import load_generator
from espnet_uniwav.apps.phones.lexicon_file import read_lexicon
from espnet_uniwav.apps.tokenizer.config import LEARNED
from espnet_uniwav.apps.tokenizer.tokenizer import PACKAGED, UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.apps.vocoder import NO_VOCODER, use_vocoder
from espnet_uniwav.cli.commands import PRETRAINED, VOICE
from espnet_uniwav.core.checkpoint import Checkpoint, read_checkpoint
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.folder import packaged_models

# Option -> kind of checkpoint.
KINDS = {
    "checkpoint": "uniwav",
    "tts": "synthesiser",
    "tokenizer": "tokenizer",
    "vocoder": "vocoder",
}
Model = TypeVar("Model")


class Models:
    """Loads every model once.

    Args:
        checkpoint: With a decoder; None: that of the commands, or another packaged one.
        tts: Fine-tuned synthesiser: a folder, name or .pth file; None: as above.
        tokenizers: Checkpoints of tokenizers; none: a packaged one. Those that can use
            fewer codebooks stand on the page once for every number.
        vocoder: See ``use_vocoder``; None: as each model says.
        device: Torch device.
        lexicon: File of pronunciations, see ``read_lexicon``.

    Attributes:
        lexicon: What it says.
        tokenizers: Name that the page shows -> checkpoint, and how many of its
            codebooks are used; None: all.
        loading: Seconds spent on loading so far.

    Raises:
        ValueError, OSError: Naming the option whose model is missing or of another
            kind, before anything is loaded.
    """

    def __init__(
        self,
        checkpoint: str | Path | None = None,
        tts: str | Path | None = None,
        tokenizers: Sequence[str | Path] = (),
        vocoder: str | Path | None = None,
        device: str = "cpu",
        lexicon: str | Path | None = None,
    ):
        self.checkpoint = checkpoint or packaged(KINDS["checkpoint"], PRETRAINED)
        self.tts = tts or packaged(KINDS["tts"], VOICE)
        found = tokenizers or [packaged(KINDS["tokenizer"], PACKAGED)]
        found = [own for own in found if own]
        self.vocoder, self.device = vocoder, device
        self.lexicon = read_lexicon(lexicon) if lexicon else {}
        self.loading = 0.0
        self._loaded: dict[str, object] = {}
        for option in ("checkpoint", "tts", "vocoder"):
            check_kind(option, getattr(self, option))
        for folder in found:
            check_kind("tokenizer", folder)
        self.tokenizers = rates(found)

    def speaking_steps(self) -> int:
        """Steps of the solver that the fine-tuned model asks for; loads nothing."""
        try:
            own = read_checkpoint(self.tts).model["speaking"].get("num_steps")
            return SPEAKING.but(num_steps=own).num_steps
        except (TypeError, ValueError, OSError):
            return SPEAKING.num_steps  # loading says what is wrong

    def generator(self) -> UniWav:
        """The pre-trained model, which fills gaps."""
        return self._once("checkpoint", self._load_generator)

    def synthesizer(self) -> Synthesizer:
        """The fine-tuned model, which speaks and edits."""
        return self._once(
            "tts",
            lambda: Synthesizer.from_pretrained(
                self.tts, None, self.device, self.vocoder, self.lexicon
            ),
        )

    def tokenizer(self, name: str) -> UniWavTokenizer:
        """One of ``tokenizers``.

        Raises:
            ValueError: If it is none of them.
        """
        if name not in self.tokenizers:
            raise ValueError(
                f"expected a tokenizer among {', '.join(self.tokenizers)}, found "
                f"{name!r}; choose one of them"
            )
        folder, number = self.tokenizers[name]
        load = functools.partial(self._load_tokenizer, folder)
        return self._once(f"tokenizer {folder}", load).limit_codebooks(number)

    def _load_generator(self) -> UniWav:
        model = load_generator(self.checkpoint).to(self.device)
        use_vocoder(model.features, self.vocoder)
        return model

    def _load_tokenizer(self, folder: str | Path) -> UniWavTokenizer:
        tokenizer = UniWavTokenizer.from_pretrained(folder).to(self.device)
        use_vocoder(tokenizer.features, self.vocoder)
        return tokenizer

    def _once(self, key: str, load: Callable[[], Model]) -> Model:
        if key not in self._loaded:
            start = time.perf_counter()
            self._loaded[key] = load()
            self.loading += time.perf_counter() - start
        return self._loaded[key]


def rates(tokenizers: Sequence[str | Path]) -> dict[str, tuple[str | Path, int | None]]:
    """Name to show -> checkpoint and number of codebooks, see ``Models.tokenizers``."""
    found = {}
    for name, folder in short_names(tokenizers).items():
        conf = read_checkpoint(folder).model["tokenizer"]
        if conf["layer"] != LEARNED:
            found[name] = folder, None
            continue
        for number in range(conf["num_codebooks"], 0, -1):
            found[f"{name}, {number} of {conf['num_codebooks']}"] = folder, number
    return found


def short_names(models: Sequence[str | Path]) -> dict[str, str | Path]:
    """Names without folders, which are no business of the reader, if they differ."""
    names = {Path(model).name: model for model in models}
    return names if len(names) == len(models) else {str(own): own for own in models}


def packaged(kind: str, preferred: str = "") -> str | None:
    """Name of a packaged model of a kind: the preferred one, or the first; or None."""
    folders = packaged_models()
    for name in sorted(folders, key=lambda name: (name != preferred, name)):
        found = read_checkpoint(folders[name])
        if found.kind == kind and can_generate(found):
            return name
    return None


def can_generate(found: Checkpoint) -> bool:
    """Whether a checkpoint is no pre-trained model, or has a decoder."""
    return found.kind != UniWav.kind or bool(found.model.get("decoder"))


def check_kind(option: str, name: str | Path | None) -> None:
    """Refuse a model that is missing or of another kind than the option's.

    Raises:
        ValueError, OSError: Naming the option.
    """
    if name is None or Path(name).is_file():  # a .pth file is checked when loaded
        return
    if option == "vocoder" and str(name) == NO_VOCODER:
        return
    try:
        found = read_checkpoint(name)
    except (ValueError, OSError) as error:
        raise type(error)(f"--{option}: {error}") from error
    if found.kind != KINDS[option]:
        fits = [f"--{own}" for own, kind in KINDS.items() if kind == found.kind]
        fix = f"name it with {fits[0]}" if fits else "name another one"
        raise ValueError(
            f"--{option}: {name}: expected a checkpoint of the kind {KINDS[option]}, "
            f"found {found.kind}; {fix}"
        )
    if not can_generate(found):
        raise ValueError(f"--{option}: {name}: expected a model with a decoder")
