"""Numbers with units: ``16k`` (Hz), ``400k`` (frames), ``2m`` (seconds).

The parser of units is heavy, so it is imported only when needed.
"""

from __future__ import annotations

from argparse import ArgumentTypeError


def parse_rate(fs: int | str) -> int:
    """A sampling rate in Hz, also of a string such as 16k.

    Raises:
        ValueError: If it is not a rate.
    """
    try:
        rate = _parse_count(str(fs))
    except ValueError:
        rate = 0
    if rate < 1:
        raise ValueError(
            f"fs: expected a sampling rate in Hz, such as 16000 or 16k, found {fs!r}"
        )
    return rate


def count(text: str) -> int:
    """A whole number of the command line, also as ``400k`` or ``1.5M``.

    Raises:
        ArgumentTypeError: If it is not a number; argparse prepends the option.
    """
    try:
        return _parse_count(text)
    except ValueError:
        raise ArgumentTypeError(
            f"expected a whole number, such as 400000 or 400k, found {text!r}"
        ) from None


def seconds(text: str) -> float:
    """Seconds of the command line, also as ``200ms``, ``2m`` or ``1h``.

    Raises:
        ArgumentTypeError: If it is not a time; argparse prepends the option.
    """
    try:
        return float(text)
    except ValueError:
        pass
    import humanfriendly

    try:
        return humanfriendly.parse_timespan(text)
    except humanfriendly.InvalidTimespan:
        raise ArgumentTypeError(
            f"expected seconds, such as 1.5, or 200ms, 2m, 1h, found {text!r}"
        ) from None


def _parse_count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        pass
    import humanfriendly

    try:
        return humanfriendly.parse_size(text)
    except humanfriendly.InvalidSize as error:
        raise ValueError(str(error)) from error
