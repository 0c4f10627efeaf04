"""Characters of aligned words, spread over frames."""

from __future__ import annotations

import pytest

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.lab.align.frame_tokens import frame_tokens

INDEX = {"<blank>": 0, "<space>": 1, "A": 2, "B": 3}


def test_closed_form():
    words = [Segment(0.1, 0.5, "AB"), Segment(0.7, 0.9, "A"), Segment(0.9, 1.0, "B")]
    tokens = frame_tokens(words, 12, 10, INDEX)
    assert tokens.tolist() == [0, 2, 2, 3, 3, 0, 1, 2, 1, 3, 0, 0]


def test_every_character_has_a_frame():
    tokens = frame_tokens([Segment(0.0, 0.1, "ABA")], 8, 10, INDEX)
    assert tokens[0] in (2, 3) and len(tokens) == 8


def test_unknown_character():
    with pytest.raises(ValueError, match="'C' of 'AC'"):
        frame_tokens([Segment(0, 1, "AC")], 10, 10, INDEX)
