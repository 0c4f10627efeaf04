"""Trainings one after another, by torchrun; every process writes what it did."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import espnet3_case as case
import pytest
import torch

for number, config in enumerate(sys.argv[1:]):
    with pytest.MonkeyPatch.context() as patch:
        recorded = case.Recorded(patch, seed=False)
        case.run(Path(config), "train")
    folder = Path(config).parent / f"{number}-{os.environ['RANK']}"
    folder.mkdir()
    content = dict(losses=recorded.losses, updates=recorded.updates)
    (folder / "steps.json").write_text(json.dumps(content))
    torch.save(recorded.model.state_dict(), folder / "model.pth")
