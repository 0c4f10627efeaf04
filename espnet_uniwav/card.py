"""The model card of a checkpoint, as Hugging Face's hub shows it."""

from __future__ import annotations

from pathlib import Path

import yaml

from espnet_uniwav.storage import CONFIG, read_config

CARD = "README.md"
USES = {
    "vocoder": "from espnet_uniwav.vocoder import Vocoder\n"
    'vocoder = Vocoder.from_pretrained("{name}")',
    "tokenizer": "from espnet_uniwav.tokenizer.tokenizer import UniWavTokenizer\n"
    'tokenizer = UniWavTokenizer.from_pretrained("{name}")\n'
    "codes = tokenizer.encode(speech)",
    "encoder": "from espnet_uniwav.checkpoint import load_checkpoint\n"
    'model = load_checkpoint("{name}")\n'
    "x, lengths = model.features.extract(speech, speech_lengths)\n"
    "states = model.hidden_states(x)",
}


def write_card(
    folder: str | Path,
    data: str,
    licence: str,
    language: str = "en",
    metrics: str = "",
    name: str | None = None,
) -> Path:
    """Write README.md into a checkpoint folder: data, use, results, configuration.

    Args:
        folder: Checkpoint.
        data: What it was trained on.
        licence: Of the weights, as the hub names it, such as ``cc-by-4.0``.
        language: Code of it.
        metrics: Markdown, such as scores.md of ``uniwav score``.
        name: On the hub, ``OWNER/NAME``; None: the folder's.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
    """
    config = read_config(folder)
    kind = next(kind for kind in USES if kind in config["model"])
    name = name or Path(folder).name
    head = {
        "license": licence,
        "language": language,
        "library_name": "espnet",
        "tags": ["espnet", "uniwav", "speech"],
    }
    about = {k: v for k, v in config.get("about", {}).items() if k != "training"}
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# {name}\n",
        f"UniWav (arXiv 2503.00733), trained with espnet_uniwav on {data}.\n",
        f"```python\n{USES[kind].format(name=name)}\n```\n",
        f"## Results\n\n{metrics.strip() or 'None were given.'}\n",
        f"## Configuration\n\n```yaml\n{_dump(config['model'])}```\n",
        f"Made of:\n\n```yaml\n{_dump(about)}```\n\nAll of it: {CONFIG}.\n",
    ]
    path = Path(folder) / CARD
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def _dump(value) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
