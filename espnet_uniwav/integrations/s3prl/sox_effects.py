"""The SoX effects of S3PRL's data sets, where torchaudio has no libsox.

The same two functions as ``torchaudio.sox_effects``, which torchaudio 2.9 removed and
which needs the system's libsox before. Supported are ``channels 1``, ``rate``,
``gain``, ``norm`` and ``silence``, as needed by SUPERB's keyword spotting, speaker
verification and spoken term detection. ``rate`` resamples with torchaudio, so its
output differs slightly from SoX's if a file is not at 16 kHz.
"""

from __future__ import annotations

import soundfile
import torch
from torch import Tensor
from torchaudio.functional import resample

WINDOWS_PER_SECOND = 50  # of the moving RMS of ``silence``


def apply_effects_file(
    path: str, effects: list[list[str]], **unused
) -> tuple[Tensor, int]:
    """Read a file and apply effects, in order.

    Args:
        path: Anything that soundfile reads.
        effects: Name and arguments of each, as SoX takes them.
        **unused: torchaudio's other arguments; the result is always float, (C, S).

    Returns:
        (C, S) samples in [-1, 1], and their rate (Hz).

    Raises:
        NotImplementedError: For an effect that is not supported.
    """
    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    return apply_effects_tensor(torch.from_numpy(samples.T), sample_rate, effects)


def apply_effects_tensor(
    tensor: Tensor, sample_rate: int, effects: list[list[str]], **unused
) -> tuple[Tensor, int]:
    """Apply effects to (C, S) samples, see ``apply_effects_file``."""
    for name, *args in effects:
        if name not in EFFECTS:
            raise NotImplementedError(
                f"SoX effect {' '.join([name, *args])!r} needs libsox, expected one of "
                f"{sorted(EFFECTS)}: install torchaudio 2.8 and libsox for it"
            )
        tensor, sample_rate = EFFECTS[name](tensor, sample_rate, *args)
    return tensor.contiguous(), sample_rate


def channels(x: Tensor, sample_rate: int, number: str) -> tuple[Tensor, int]:
    """Mix down to one channel: the mean."""
    if number != "1":
        raise NotImplementedError(f"SoX effect 'channels {number}': only 1 is here")
    return x.mean(dim=0, keepdim=True), sample_rate


def rate(x: Tensor, sample_rate: int, new_rate: str) -> tuple[Tensor, int]:
    """Resample to ``new_rate`` (Hz)."""
    return resample(x, sample_rate, int(new_rate)), int(new_rate)


def gain(x: Tensor, sample_rate: int, decibel: str) -> tuple[Tensor, int]:
    """Amplify by a number of decibels; clips like SoX."""
    return (x * 10 ** (float(decibel) / 20)).clamp(-1, 1), sample_rate


def norm(x: Tensor, sample_rate: int, decibel: str = "0") -> tuple[Tensor, int]:
    """Scale the peak to a level (dB below full scale)."""
    peak = x.abs().max() if x.numel() else x.new_ones(())
    return x * 10 ** (float(decibel) / 20) / peak.clamp(min=1e-10), sample_rate


def silence(x: Tensor, sample_rate: int, *args: str) -> tuple[Tensor, int]:
    """Cut silence everywhere: ``silence 1 D P% -1 D P%``.

    Sound begins where the moving RMS has been at least P % of full scale for D
    seconds; it ends where it has been below for D seconds, which are cut, and the
    search for a beginning starts again with an empty window (sox(1), ``silence``).

    Args:
        x: (1, S).
        sample_rate: Hz.
        *args: Six arguments, as above.
    """
    if len(args) != 6 or args[0] != "1" or args[3] != "-1" or len(x) != 1:
        raise NotImplementedError(
            f"SoX effect 'silence {' '.join(args)}' on {len(x)} channels: only "
            "'silence 1 D P% -1 D P%' on one channel is here"
        )
    on, off = (round(float(args[i]) * sample_rate) for i in (1, 4))
    loud, quiet = (float(args[i].rstrip("%")) / 100 for i in (2, 5))
    kept, start = [], 0
    energy = x[0].double().square()
    while True:
        rms = moving_rms(energy[start:], sample_rate // WINDOWS_PER_SECOND)
        begin = first_run(rms >= loud, on)
        if begin is None:
            break
        end = first_run(rms[begin + on :] < quiet, off)
        if end is None:
            kept.append(x[:, start + begin :])
            break
        end += begin + on
        kept.append(x[:, start + begin : start + end])
        start += end + off
    return torch.cat([x[:, :0], *kept], dim=1), sample_rate


def moving_rms(energy: Tensor, window: int) -> Tensor:
    """(S,) RMS of the last ``window`` samples, zeros before the first."""
    total = energy.cumsum(0)
    total[window:] = total[window:] - total[:-window]
    return (total.clamp(min=0) / window).sqrt()


def first_run(flags: Tensor, length: int) -> int | None:
    """Start of the first run of ``length`` true flags."""
    if len(flags) < length:
        return None
    total = torch.nn.functional.pad(flags.long().cumsum(0), (1, 0))
    runs = (total[length:] - total[:-length] == length).nonzero()
    return int(runs[0]) if len(runs) else None


EFFECTS = {
    "channels": channels,
    "rate": rate,
    "gain": gain,
    "norm": norm,
    "silence": silence,
}
