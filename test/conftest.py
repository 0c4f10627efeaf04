"""What every test starts from: one thread, a fixed seed, tiny speech."""

from __future__ import annotations

import pytest
import torch
from factories import make_speech

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def speech():
    """(2, S) samples and their lengths, the second utterance padded with zeros."""
    return make_speech([4000, 2500])
