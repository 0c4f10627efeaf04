"""The model card of a checkpoint: README.md, as Hugging Face's hub shows it."""

from __future__ import annotations

from pathlib import Path

import yaml

from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.core.kinds import KINDS
from espnet_uniwav.io.folder import CONFIG
from espnet_uniwav.io.input import error_context, read_lines
from espnet_uniwav.io.output import write_text

CARD = "README.md"
LIMITS = """\
For research and for building on it. It knows speech like its training data: other
languages, accents, rooms and ways of speaking may do worse, so measure it on your own
data first."""
RESPONSIBLE_USE = """\
A model that generates speech can imitate a voice. Do so only with the consent of the
speaker, say that the speech is generated, and do not use it to deceive or to identify
people. Give the corpora above their credit wherever you pass the weights on."""


def write_card(
    folder: str | Path,
    data: str,
    licence: str,
    language: str = "en",
    metrics: str = "",
    name: str | None = None,
    limits: str = "",
) -> Path:
    """Write README.md into a checkpoint folder.

    Args:
        folder: Checkpoint.
        data: Training data, printed after "trained on". More paragraphs may follow,
            with a table of the corpora: name, hours, licence, source.
        licence: Licence of the weights, as the hub names it, such as ``cc-by-4.0``.
        language: Language code.
        metrics: Markdown, such as scores.md of ``uniwav score``.
        name: Name on the hub, ``OWNER/NAME``, or in the package; None: the folder's.
        limits: Markdown, further intended uses and limits.

    Raises:
        FileNotFoundError: If the folder is no checkpoint.
    """
    folder = Path(folder).absolute()
    found = read_checkpoint(folder)
    kind = KINDS[found.kind]
    example = kind.example.format(name=name or folder.name)
    name = name or folder.name
    trained_on, _, corpora = data.strip().partition("\n\n")
    trained_on = " ".join(trained_on.split()).rstrip(".")
    head = {
        "license": licence,
        "language": language,
        "trained_on": trained_on,
        "library_name": "espnet",
        "pipeline_tag": kind.pipeline_tag,
        "tags": ["espnet", "uniwav", "speech"],
    }
    about = {k: v for k, v in found.about.items() if k != "training"}
    parts = [
        f"---\n{_dump(head)}---\n\n# {name}\n",
        f"UniWav (arXiv 2503.00733), trained with espnet_uniwav on {trained_on}.\n",
        f"```python\n{example}\n```\n",
        f"## Training data\n\n{corpora.strip() or trained_on}\n",
        f"The weights are under {licence}, the code is under Apache-2.0.\n",
        f"## Results\n\n{metrics.strip() or 'None were given.'}\n",
        f"## Intended use and limits\n\n{LIMITS}\n\n{limits.strip()}".rstrip() + "\n",
        f"## Responsible use\n\n{RESPONSIBLE_USE}\n",
        f"## Configuration\n\n```yaml\n{_dump(found.model)}```\n",
        f"Made of:\n\n```yaml\n{_dump(about)}```\n\nAll of it: {CONFIG}.\n",
    ]
    path = folder / CARD
    write_text(path, "\n".join(parts))
    return path


def read_card(folder: str | Path) -> tuple[dict, str]:
    """Read a checkpoint's card: its head, and its complete text.

    Raises:
        FileNotFoundError: If it has none.
        ValueError: If its head is no yaml.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: `uniwav export --data ... --licence ...` writes it"
        )
    text = "\n".join([*read_lines(path), ""])
    parts = text.split("---\n")
    has_head = text.startswith("---\n") and len(parts) > 2
    with error_context(path):
        return dict(yaml.safe_load(parts[1]) if has_head else {}), text


def _dump(value) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
