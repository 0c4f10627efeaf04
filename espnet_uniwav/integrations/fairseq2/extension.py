"""The entry point ``fairseq2.extension`` of the package."""

from __future__ import annotations

from functools import partial

from fairseq2.composition import register_in_memory_assets, register_model_family
from fairseq2.runtime.config_registry import ConfigRegistrar
from fairseq2.runtime.dependency import DependencyContainer

from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.pretraining import Pretraining
from espnet_uniwav.integrations.fairseq2.checkpoint import (
    FAMILY,
    convert_state_dict,
    create_uniwav,
    packaged_cards,
)
from espnet_uniwav.integrations.fairseq2.config import (
    MODELS,
    PretrainingConfig,
    UniWavConfig,
    pretraining_config,
    uniwav_config,
)
from espnet_uniwav.integrations.fairseq2.pretraining import (
    PRETRAINING,
    apply_fsdp,
    create_pretraining,
)


def register(container: DependencyContainer) -> None:
    """Register the model families, their sizes and the packaged models."""
    register_model_family(
        container,
        FAMILY,
        kls=UniWav,
        config_kls=UniWavConfig,
        factory=create_uniwav,
        supports_meta=False,
        state_dict_converter=convert_state_dict,
    )
    register_model_family(
        container,
        PRETRAINING,
        kls=Pretraining,
        config_kls=PretrainingConfig,
        factory=create_pretraining,
        supports_meta=False,
        compiler=Pretraining.compile_layers,
        fsdp_applier=apply_fsdp,
    )
    model = ConfigRegistrar(container, UniWavConfig)
    pretraining = ConfigRegistrar(container, PretrainingConfig)
    for name in MODELS:
        model(name)(partial(uniwav_config, name))
        pretraining(name)(partial(pretraining_config, name))
    register_in_memory_assets(container, "espnet_uniwav", packaged_cards())
