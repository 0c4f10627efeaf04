"""ESPnet-EZ's table of tasks, which lacks pre-training."""

from __future__ import annotations


def add_ssl(module) -> None:
    """Add ESPnet's SSL task to ``espnetez.task``, unless it is there."""
    from espnet2.tasks.ssl import SSLTask

    module.TASK_CLASSES.setdefault("ssl", SSLTask)
