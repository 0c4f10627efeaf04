"""Features -> waveform, and the joints of what is generated."""

from espnet_uniwav.apps.vocoder.flow_vocoder import FlowVocoder
from espnet_uniwav.apps.vocoder.vocoder import (
    NO_VOCODER,
    Vocoder,
    find_vocoder,
    use_vocoder,
)

__all__ = ["NO_VOCODER", "FlowVocoder", "Vocoder", "find_vocoder", "use_vocoder"]
