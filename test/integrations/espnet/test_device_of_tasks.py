"""ESPnet's models on a device that pretends to be a GPU."""

import pytest
import torch
from factories import make_config
from pretend_gpu import DEVICE, PretendGPU
from test_ssl import OWN_FFN, VISIBLE

from espnet_uniwav.core import pretraining
from espnet_uniwav.integrations.espnet import results
from espnet_uniwav.integrations.espnet.frontend import UniWavEncoderFrontend

# Shortest utterance, masked frames, fewest and most visible ones.
NUMBERS = [8, 9, 4, 6]


def make_speech_there():
    """(2, S) samples on the device, and their lengths."""
    lengths = [torch.full((), number, device=DEVICE) for number in (4000, 2500)]
    return torch.randn(2, 4000, device=DEVICE), torch.stack(lengths)


@pytest.mark.parametrize("mode", ({}, VISIBLE, OWN_FFN), ids=("", "visible", "own"))
def test_a_step_reads_the_device_once_and_reports_once(make_ssl, monkeypatch, mode):
    asked = []

    def read(*numbers):
        asked.append(numbers)
        return NUMBERS

    monkeypatch.setattr(pretraining, "read_numbers", read)
    model = make_ssl(**mode)
    dinosr, flow = (loss.objective for loss in model.losses)
    flow.decoder.precondition._is_fitted = True  # the first batch waits
    dinosr.codebooks.needs_data = False
    with PretendGPU() as gpu:
        gpu.send(model)
        loss, stats, weight = model(*make_speech_there())
        loss.backward()
        model.pretraining.after_optimizer_step()
        assert len(asked) == 1 and gpu.found == ["lazy to cpu"]
        assert loss.device.type == DEVICE
        assert {v.device.type for v in (*stats.values(), weight)} == {"cpu"}


def test_processes_average_their_statistics_on_the_device(monkeypatch):
    monkeypatch.setattr(results, "is_distributed", lambda: True)
    with PretendGPU() as gpu:
        scalar = torch.ones((), device=DEVICE)
        loss, stats, weight = results.report(scalar, {"loss": scalar}, 3.0)
        assert {x.device.type for x in (loss, stats["loss"], weight)} == {DEVICE}
        assert not gpu.found


def test_fine_tuning_waits_for_nothing():
    """An unpadded mask is kept there: reading it would wait."""
    config = make_config()
    frontend = UniWavEncoderFrontend(
        architecture={k: config[k] for k in ("features", "encoder")},
        mask_prob=0.3,
        channel_mask_prob=0.2,
    ).train()
    frontend.step = 1
    with PretendGPU() as gpu:
        gpu.send(frontend)
        z, lengths = frontend(*make_speech_there())
        z.sum().backward()
        assert z.device.type == lengths.device.type == DEVICE and not gpu.found
