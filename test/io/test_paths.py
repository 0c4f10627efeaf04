"""What is published names no folder of the machine it was made on."""

import pytest

from espnet_uniwav.io.paths import strip_local_paths


@pytest.mark.parametrize(
    ("value", "expected"),
    (
        ("/home/me/exp/a/log/x", "log/x"),
        ("/home/me/data/wav.scp,speech,sound", "wav.scp,speech,sound"),
        (["/home/me/exp/a", {"k": ("file:///home/me/s", 3)}], [".", {"k": ["s", 3]}]),
        ("../../home/me/init.pth:a:b", "init.pth:a:b"),
        ("dump/raw/wav.scp,speech,sound", "dump/raw/wav.scp,speech,sound"),
        (None, None),
    ),
)
def test_paths_are_shortened(value, expected):
    assert strip_local_paths(value, "/home/me/exp/a") == expected
