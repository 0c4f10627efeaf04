"""SoX's ``silence 1 D P% -1 D P%`` sample by sample, from its manual."""

import math


def cut_silence(samples, sample_rate, on, off, loud, quiet):
    """Kept samples of one channel; durations in samples, thresholds of 1."""
    window = [0.0] * (sample_rate // 50)
    kept, held, copying = [], [], False
    for sample in samples:
        window = [*window[1:], sample * sample]
        rms = math.sqrt(sum(window) / len(window))
        if not copying:
            held = [*held, sample] if rms >= loud else []
            if len(held) >= on:
                kept, held, copying = kept + held, [], True
        elif rms >= quiet:
            kept, held = [*kept, *held, sample], []
        else:
            held = [*held, sample]
            if len(held) >= off:
                window, held, copying = [0.0] * len(window), [], False
    return kept + held if copying else kept
