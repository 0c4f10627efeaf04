"""What checkpoints of version 0.1.0 and before call otherwise; to be deleted in 0.3.

Nothing else in the package knows old names: without this module and its two calls in
``checkpoint.py``, only folders and model files of the present layout are loaded.
"""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from espnet_uniwav.cli.command import load as load_name

# Key of the model configuration -> kind, if ``kind`` is missing; the first one counts.
KINDS = {
    "tts": "synthesiser",
    "asr": "recogniser",
    "vocoder": "vocoder",
    "tokenizer": "tokenizer",
    "encoder": "uniwav",
    "features": "features",
}
# Part of the model configuration -> its old keys, and what they are now.
KEYS: dict[str, dict[str, str]] = {"tokenizer": {}}
# Start of the name of a tensor -> what it is now; None: it is left out.
TENSORS = {
    "metric.": "quantizer.metric.",
    "readout.": "quantizer.readout.",
    "tts.synthesizer.": "",
    "feats_extract.": None,
}
# Synthesisers held the arguments of ESPnet's task.
SYNTHESISER = "espnet_uniwav.integrations.espnet.experiment:synthesiser_config"


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
        raise ValueError(f"expected the key 'kind', found {', '.join(content)}")
    if kind == "synthesiser":
        content = {**content, "model": load_name(SYNTHESISER)(model["tts"])}
    return {**content, "kind": kind}


def update_keys(model: dict) -> dict:
    """A model configuration with the keys of today."""
    updated = dict(model)
    for part, keys in KEYS.items():
        if isinstance(model.get(part), dict):
            own = model[part].items()
            updated[part] = {keys.get(key, key): value for key, value in own}
    return updated


def update_names(
    weights: dict[str, Tensor], known: Collection[str]
) -> dict[str, Tensor]:
    """Tensors by the names of today; those that the model knows keep theirs.

    Args:
        weights: Name -> tensor.
        known: Names of the model.
    """
    updated = {}
    for name, value in weights.items():
        old = next((own for own in TENSORS if name.startswith(own)), None)
        if name in known or old is None:
            updated[name] = value
        elif TENSORS[old] is not None:
            updated[TENSORS[old] + name.removeprefix(old)] = value
    return updated
