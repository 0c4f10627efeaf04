"""ESPnet2 adapter for the features of ``tts: uniwav``, and a check of vocoders."""

from __future__ import annotations

from pathlib import Path

from espnet2.tts.feats_extract.abs_feats_extract import AbsFeatsExtract

from espnet_uniwav.core.features import FeatureSpec, build_features
from espnet_uniwav.integrations.espnet.frozen import FrozenFeatures
from espnet_uniwav.io.input import read_yaml


class UniWavFeatsExtract(FrozenFeatures, AbsFeatsExtract):
    """``feats_extract: uniwav``: the frozen feature space of ``tts: uniwav``.

    Args:
        extracted: Folder of ``uniwav extract``: in training the data are features.
        **features: Name and arguments of the features; filled in from ``tts_conf``.

    Raises:
        ValueError: If the folder holds other features.
    """

    conf_key = "feats_extract_conf"

    def __init__(self, extracted: str | Path | None = None, **features):
        super().__init__()
        self.set_features(build_features(**features), extracted)

    def get_parameters(self) -> dict:
        """Return no parameters: ESPnet's Griffin-Lim does not fit these features."""
        return {}


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
