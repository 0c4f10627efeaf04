"""Features -> waveform, and the joints of what is generated."""

from espnet_uniwav.vocoder.vocoder import Vocoder, use_vocoder

__all__ = ["Vocoder", "use_vocoder"]
