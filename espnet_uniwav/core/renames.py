"""What checkpoints of version 0.1.0 and before call otherwise; to be deleted in 0.3.

Without this module and its calls, only folders and model files of the present layout
are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from espnet_uniwav.cli.command import load as load_name

Value = TypeVar("Value")

# Key of the model configuration -> kind, if ``kind`` is missing; the first one counts.
KINDS = {
    "tts": "synthesiser",
    "asr": "recogniser",
    "vocoder": "vocoder",
    "tokenizer": "tokenizer",
    "encoder": "uniwav",
    "features": "features",
}
# Synthesisers held the arguments of ESPnet's task.
SYNTHESISER = "espnet_uniwav.integrations.espnet.experiment:synthesiser_config"
# Kind -> start of a tensor's name -> what it is now; None: it is left out.
TENSORS: dict[str, dict[str, str | None]] = {
    "synthesiser": {"tts.synthesizer.": "", "feats_extract.": None},
    "tokenizer": {
        "metric.": "quantizer.metric.",
        "readout.": "quantizer.readout.",
        "quantizer.metric.scale": "quantizer.readout_scale",
        "quantizer.metric.": "quantizer.whitening.",
        "quantizer.codewords": "quantizer.semantic_codebook",
        "quantizer.means": "quantizer.codebooks",
        "quantizer.digits.": "quantizer.speaker.scalar.",
        "quantizer.spread.square": "quantizer.speaker.norm.mean_square",
        "quantizer.write_voice.": "quantizer.speaker.analysis.",
        "quantizer.read_voice.": "quantizer.speaker.synthesis.",
        "quantizer.meaning.": "quantizer.semantic_embedding.",
        "quantizer.semantic.metric.scale": None,
        "quantizer.semantic.metric.": "quantizer.semantic.whitening.",
    },
}
# Part of the model configuration -> its old keys, and what they are now.
SETTINGS: dict[str, dict[str, str | None]] = {
    "tokenizer": {
        "voice_digits": "speaker_code_length",
        "semantic": "semantic_layer",
        "normalise": None,
        "readout_weight": None,
        "min_share": None,
        "whole_prob": None,
        "drop_prob": None,
    },
}
# The only values of dropped settings that this version still computes.
DROPPED = {
    "normalise": True,
    "readout_weight": 1.0,
    "min_share": 0.5,
    "whole_prob": 0.5,
    "drop_prob": 0.1,
}


def update_layout(content: dict) -> dict:
    """A config.yaml with ``kind``, and a synthesiser as a model of our own.

    Raises:
        ValueError: If it is of no kind.
    """
    if "kind" in content:
        return content
    model = content["model"]
    kind = next((own for key, own in KINDS.items() if key in model), None)
    if kind is None:
        raise ValueError(
            f"expected the key 'kind', found {', '.join(map(str, content))}"
        )
    if kind == "synthesiser":
        content = {**content, "model": load_name(SYNTHESISER)(model["tts"])}
    return {**content, "kind": kind}


def rename_settings(model: dict) -> dict:
    """A model configuration with the keys of today.

    Raises:
        ValueError: If a setting that was dropped has another value than its default.
    """
    updated = dict(model)
    for part, keys in SETTINGS.items():
        if isinstance(model.get(part), dict):
            updated[part] = _rename(model[part], keys)
    return updated


def _rename(settings: dict, keys: dict[str, str | None]) -> dict:
    found = {}
    for key, value in settings.items():
        new = keys[key] if key in keys else key
        if key not in DROPPED:
            found[new] = value
        elif value != DROPPED[key]:
            raise ValueError(
                f"{key}: expected {DROPPED[key]}, found {value}: this version knows no "
                "other value; make the checkpoint again without this setting"
            )
    return found


def rename_tensors(
    weights: Mapping[str, Value], kind: str, prefix: str = ""
) -> dict[str, Value]:
    """Tensors by the names of today, which stay.

    Args:
        weights: Name -> tensor.
        kind: Of the checkpoint.
        prefix: Comes before all names of this kind.
    """
    for old, new in TENSORS.get(kind, {}).items():
        old = prefix + old
        weights = {
            name if not name.startswith(old) else prefix + new + name[len(old) :]: value
            for name, value in weights.items()
            if new is not None or not name.startswith(old)
        }
    return dict(weights)
