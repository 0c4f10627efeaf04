"""ESPnet-EZ adapter: adds pre-training to its table of tasks."""

from __future__ import annotations


def add_ssl(module) -> None:
    """Add ESPnet's SSL task to ``espnetez.task``, unless it is present."""
    from espnet2.tasks.ssl import SSLTask

    module.TASK_CLASSES.setdefault("ssl", SSLTask)
