"""Extensions of ESPnet's tasks, whose class methods we may not edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps


def extend(task: type, method: str, function: Callable) -> None:
    """Run a function in place of a class method of a task, with the method at hand.

    Args:
        task: ESPnet task. A second call with the same function has no effect.
        method: Name of a class method, such as ``build_model``.
        function: Called with the method as it was, bound to the task, and with the
            arguments; what it returns is the result.
    """
    stock = getattr(task, method).__func__
    before = getattr(stock, "extensions", ())
    if function in before:
        return

    @wraps(stock)
    def extended(cls, *args, **kwargs):
        return function(partial(stock, cls), *args, **kwargs)

    extended.extensions = (*before, function)
    setattr(task, method, classmethod(extended))
