"""EnCodec (Defossez et al. 2023), as implemented in Hugging Face's transformers."""

from __future__ import annotations

from torch import Tensor

from espnet_uniwav.core.features.neural_codec import CodecNetwork, right_context

NOT_ARCHITECTURE = ("model_type", "transformers_version", "dtype", "torch_dtype")


class EncodecNetwork(CodecNetwork):
    """Encoder and decoder of ``transformers.EncodecModel``, without its quantiser.

    Args:
        **architecture: Arguments of ``transformers.EncodecConfig``.

    Raises:
        ValueError: If the codec scales or normalises utterances, or has two channels.
    """

    def __init__(self, **architecture):
        super().__init__()
        from transformers import EncodecConfig
        from transformers.models.encodec.modeling_encodec import (
            EncodecDecoder,
            EncodecEncoder,
        )

        config = EncodecConfig(**architecture)
        found = config.audio_channels, config.normalize, config.norm_type
        if found != (1, False, "weight_norm"):
            raise ValueError(
                "encodec: expected one channel, no scaling and weight_norm, as in the "
                f"24 kHz model, found {found}"
            )
        self.sample_rate = config.sampling_rate
        self.hop_length = config.hop_length
        self.dim = config.hidden_size
        self.encoder = EncodecEncoder(config)
        self.decoder = EncodecDecoder(config)
        self.context = right_context(self.encoder, self.hop_length)

    def encode(self, speech: Tensor) -> Tensor:
        """Map (B, 1, S) samples to (B, F, ceil(S / hop)) latents."""
        return self.encoder(speech)

    def decode(self, latents: Tensor) -> Tensor:
        """Map (B, F, T) latents to (B, 1, T * hop) samples."""
        return self.decoder(latents)


def read_encodec(source: str) -> tuple[dict, dict[str, Tensor]]:
    """Read architecture and weights from a folder or from Hugging Face's hub.

    Raises:
        OSError: If neither exists or the hub does not answer; one line.
    """
    from transformers import EncodecConfig, EncodecModel

    try:
        model = EncodecModel.from_pretrained(source)
    except OSError as error:  # several lines, some of them blank
        reason = " ".join(str(error).split())
        raise OSError(f"{source}: cannot be read as EnCodec ({reason})") from error
    known = EncodecConfig().to_dict().keys() - set(NOT_ARCHITECTURE)
    changed = model.config.to_diff_dict()
    architecture = {key: value for key, value in changed.items() if key in known}
    wanted = ("encoder.", "decoder.")
    state = model.state_dict()
    return architecture, {k: v for k, v in state.items() if k.startswith(wanted)}
