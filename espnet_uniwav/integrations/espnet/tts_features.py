"""ESPnet2 adapter for the features of ``tts: uniwav``, and a check of vocoders."""

from __future__ import annotations

from pathlib import Path

from espnet2.tts.feats_extract.abs_feats_extract import AbsFeatsExtract
from torch import Tensor

from espnet_uniwav.core.features import FeatureSpec, build_features
from espnet_uniwav.io.input import read_yaml


class UniWavFeatsExtract(AbsFeatsExtract):
    """``feats_extract: uniwav``: the frozen feature space of ``tts: uniwav``.

    Args:
        **features: Name and arguments of the features; filled in from ``tts_conf``.
    """

    def __init__(self, **features):
        super().__init__()
        self.features = build_features(**features)

    def output_size(self) -> int:
        """Width F of a frame."""
        return self.features.spec.dim

    def get_parameters(self) -> dict:
        """Return no parameters: ESPnet's Griffin-Lim does not fit these features."""
        return {}

    def forward(
        self, input: Tensor, input_lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map (B, S) samples and (B,) lengths to (B, T, F) features and lengths."""
        return self.features.extract(input, input_lengths)


def check_vocoder(config_file: str | Path, spec: FeatureSpec) -> None:
    """Refuse a ParallelWaveGAN vocoder that was trained on other features.

    Raises:
        FileNotFoundError: If it has no configuration.
        ValueError: Naming every value that differs.
    """
    config_file = Path(config_file)
    if not config_file.is_file():
        raise FileNotFoundError(
            f"{config_file} is missing: name it with --vocoder_config"
        )
    found = read_yaml(config_file)
    expected = {
        "sampling_rate": spec.sample_rate,
        "hop_size": spec.hop_length,
        "num_mels": spec.dim,
        "fft_size": spec.conf.get("fft_size"),
        "fmin": 0,
        "fmax": spec.sample_rate / 2,
    }
    wrong = [
        f"{key}: expected {value}, found {found.get(key)}"
        for key, value in expected.items()
        if found.get(key) != value
    ]
    if spec.name != "log_mel" or wrong:
        raise ValueError(
            f"{config_file}: the vocoder does not fit the features ({spec.name}): "
            f"{'; '.join(wrong)}. Use one that was trained on them."
        )
