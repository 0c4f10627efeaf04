"""The arguments that define the codes of a tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from espnet_uniwav.core.model import UniWav

FEATURES, LEARNED = "features", "learned"


@dataclass(frozen=True)
class TokenizerConfig:
    """What the codes of a tokenizer are.

    Codes are either clusters of what the encoder knows, which are final before the
    decoder learns to read them instead of z (``ClusterQuantizer``), or codewords of
    groups of frames, learned together with the decoder (``LearnedQuantizer``).

    Args:
        layer: ``learned``; or, for clusters, the state that the first codebook
            clusters, 0 to num_layers; ``features``: all codebooks cluster the features
            themselves, as a control.
        num_codebooks: K codes of a frame; of clusters, 0 uses z without quantisation,
            as a control.
        codebook_size: Values V of a code.
        num_axes: Principal axes of the state that are kept, see ``Whitening``.
        frames_per_code: Learned codes: frames N that share a code.
        speaker_code_length: Learned codes: length of the speaker code of an utterance,
            in digits of two bits; 0: none.
        semantic_layer: Learned codes: state of the encoder that the first codebook
            clusters; None: the features.

    Raises:
        ValueError: If a value is out of bounds, or for the other kind of codes.
    """

    layer: int | str
    num_codebooks: int = 1
    codebook_size: int = 1024
    num_axes: int = 64
    frames_per_code: int = 1
    speaker_code_length: int = 0
    semantic_layer: int | None = None

    def __post_init__(self):
        fewest = 1 if self.is_learned else 0
        if self.num_codebooks < fewest or self.codebook_size < 2:
            raise ValueError(
                f"layer {self.layer}: expected num_codebooks of {fewest} or more and "
                "codebook_size of 2 or more, found "
                f"{self.num_codebooks} and {self.codebook_size}"
            )
        if self.frames_per_code < 1 or self.speaker_code_length < 0:
            raise ValueError(
                "expected frames_per_code of 1 or more and speaker_code_length of 0 or "
                f"more, found {self.frames_per_code} and {self.speaker_code_length}"
            )
        shared = self.frames_per_code > 1 or self.speaker_code_length
        if not self.is_learned and (shared or self.semantic_layer is not None):
            raise ValueError(
                "frames_per_code, speaker_code_length and semantic_layer need layer: "
                f"{LEARNED}, found {self.layer}"
            )

    @property
    def is_learned(self) -> bool:
        """Whether codewords are learned together with the decoder."""
        return self.layer == LEARNED

    def check_model(self, uniwav: UniWav) -> None:
        """Raise ValueError unless codes of this model can be made, and decoded."""
        if uniwav.decoder is None:
            raise ValueError(
                "a tokenizer needs a model with a decoder: use a checkpoint trained "
                "with the flow_matching loss, or add a decoder to its configuration"
            )
        last = uniwav.encoder.num_layers
        if self.layer not in (FEATURES, LEARNED, *range(last + 1)):
            raise ValueError(
                f"layer: expected 0 to {last}, {FEATURES} or {LEARNED}, "
                f"found {self.layer}"
            )
        if self.semantic_layer is not None and not 1 <= self.semantic_layer <= last:
            raise ValueError(
                f"semantic_layer: expected a state from 1 to {last}, "
                f"found {self.semantic_layer}"
            )
