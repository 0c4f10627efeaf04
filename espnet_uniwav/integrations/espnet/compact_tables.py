"""Tables of a large corpus in little memory, which the workers of a training share.

ESPnet holds names and paths as Python strings: 50 bytes each besides the characters.
Each use of a string writes its count of references, so that a worker gets a copy of the
page of memory that it shared with the training. Arrays of bytes are read without that.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from espnet2.fileio.sound_scp import SoundScpReader

from espnet_uniwav.integrations.espnet.extend import extend


def compact_tables(task: type) -> None:
    """Make a task hold its tables of recordings, and its batches, as arrays.

    Args:
        task: ESPnet task. A second call has no effect.
    """
    extend(task, "build_sequence_iter_factory", _build_iter_factory)


class Strings(Sequence):
    """Strings in one array of UTF-8 bytes.

    Args:
        strings: Any; order and duplicates are kept.
    """

    def __init__(self, strings: Iterable[str]):
        self.content, self.ends = bytearray(), array("q", [0])
        for string in strings:
            self.content += string.encode()
            self.ends.append(len(self.content))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.content[self.ends[number] : self.ends[number + 1]].decode()


class Table(Mapping):
    """A read-only dict of strings, sorted by its keys.

    Args:
        rows: Key -> value.
    """

    def __init__(self, rows: Mapping[str, str]):
        keys = sorted(rows)
        self._names, self._values = Strings(keys), Strings(rows[key] for key in keys)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, key: str) -> str:
        number = bisect_left(self._names, key)
        if number == len(self) or self._names[number] != key:
            raise KeyError(key)
        return self._values[number]


def _build_iter_factory(build: Callable, *args, **kwargs):
    """Build as the task does; then replace its strings."""
    factory = build(*args, **kwargs)
    sampler = factory.sampler
    sampler.batches = [Strings(batch) for batch in sampler.batches]
    for loader in getattr(factory.dataset, "loader_dict", {}).values():
        reader = getattr(loader, "loader", None)
        if isinstance(reader, SoundScpReader) and not reader.multi_columns:
            reader.data = Table(reader.data)
    return factory
