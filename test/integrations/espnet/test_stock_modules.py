"""What the scripts of a stock recipe import is part of the pinned environment."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

LINES = Path(__file__).with_name("stock_modules.txt").read_text().splitlines()
MODULES = [line for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize("name", MODULES)
def test_module_is_there(name):
    # An imported humanfriendly has no __spec__, which find_spec does not forgive.
    assert name in sys.modules or importlib.util.find_spec(name) is not None


def test_resampling_of_format_wav_scp():
    """Its numba kernel must compile with our NumPy."""
    import resampy

    time = np.arange(4800) / 48000
    speech = np.sin(2 * np.pi * 440 * time)
    found = resampy.resample(speech, 48000, 16000, axis=0)
    expected = np.sin(2 * np.pi * 440 * np.arange(1600) / 16000)
    assert np.abs(found - expected)[200:-200].max() < 1e-3
