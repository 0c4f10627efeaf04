"""Names of tensors and settings in older checkpoints, and what they are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")

# Prefix of tensors, or key of settings, of an older version -> today's. None: dropped.
RENAMES: dict[str, dict[str, str | None]] = {
    "tokenizer tensors": {
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
    "tokenizer settings": {
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


def rename_tensors(
    weights: Mapping[str, Value], kind: str, prefix: str = ""
) -> dict[str, Value]:
    """Today's names of the tensors of an older checkpoint.

    Args:
        weights: Name -> tensor; today's names stay.
        kind: Key of ``RENAMES``.
        prefix: Comes before all names of this kind.
    """
    for old, new in RENAMES[kind].items():
        old = prefix + old
        weights = {
            name if not name.startswith(old) else prefix + new + name[len(old) :]: value
            for name, value in weights.items()
            if new is not None or not name.startswith(old)
        }
    return dict(weights)


def rename_settings(settings: Mapping[str, Value], kind: str) -> dict[str, Value]:
    """Today's names of the settings of an older checkpoint.

    Raises:
        ValueError: If a setting that was dropped has another value than its default.
    """
    found = {}
    for key, value in settings.items():
        new = RENAMES[kind].get(key, key)
        if new is not None:
            found[new] = value
        elif value != DROPPED[key]:
            raise ValueError(
                f"{key}: expected {DROPPED[key]}, found {value}: this version knows no "
                "other value; make the checkpoint again without this setting"
            )
    return found
