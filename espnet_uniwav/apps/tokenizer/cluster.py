"""Create a tokenizer from a pre-trained model and the recordings of a data folder."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from espnet_uniwav.apps.tokenizer.config import TokenizerConfig
from espnet_uniwav.apps.tokenizer.fit import describe_usage, fit_tokenizer
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.checkpoint import (
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
    untrained_model,
)
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.ssl.codebook import count_codes
from espnet_uniwav.io.audio import read_speech, seconds_of
from espnet_uniwav.io.kaldi import read_data_folder
from espnet_uniwav.io.output import check_output


def cluster(
    checkpoint: str | Path,
    wav_scp: str | Path,
    output: str | Path,
    decoder: str | Path | None = None,
    random_weights: bool = False,
    max_frames: int = 400000,
    seed: int = 0,
    **conf,
) -> str:
    """Cluster frames into codebooks and write the tokenizer.

    Args:
        checkpoint: Folder of ``uniwav export``, or a name.
        wav_scp: Table of names and audio files.
        output: Checkpoint to write.
        decoder: Checkpoint with the decoder's architecture; None: the same.
        random_weights: Take the checkpoint's architecture and features alone; the
            control of what pre-training is worth.
        max_frames: Frames at most; more are thinned.
        seed: Seed of all random draws.
        **conf: What the codes are, see ``TokenizerConfig``.

    Returns:
        What was done, in one line.

    Raises:
        ValueError, OSError: Naming the file and what to do.
    """
    check_output(output, folder=True)
    random_seed = seed if random_weights else None
    model, config = load_with_decoder(checkpoint, decoder, random_seed)
    codes = TokenizerConfig(**conf)
    codes.check_model(model)
    if codes.is_learned:
        model, config = with_layers(model, config, codes.semantic_layer or 0)
    tokenizer = UniWavTokenizer(model, **conf).eval()
    usage = []
    if tokenizer.num_codebooks:
        usage.append(_fit(tokenizer, wav_scp, max_frames, seed))
    about = {"checkpoint": str(checkpoint), "wav_scp": str(wav_scp)}
    about["random_weights"] = random_weights
    save_checkpoint(tokenizer, {**config, "tokenizer": asdict(codes)}, output, about)
    return "; ".join([f"{output}: {tokenizer.extra_repr()}", *usage])


def _fit(
    tokenizer: UniWavTokenizer, wav_scp: str | Path, max_frames: int, seed: int
) -> str:
    """Fit the codebooks to recordings; describes their usage."""
    utterances = read_data_folder(wav_scp)
    seconds = sum(seconds_of(u.path) for u in utterances)
    step = math.ceil(seconds * tokenizer.frame_rate / max_frames)
    speech = (
        torch.from_numpy(read_speech(u.path, tokenizer.sample_rate))
        for u in tqdm(utterances, desc="cluster", unit="utt", disable=None)
    )
    codes = fit_tokenizer(tokenizer, speech, step, seed)
    return describe_usage(count_codes(codes, tokenizer.codebook_size))


def with_layers(model: UniWav, config: dict, num_layers: int) -> tuple[UniWav, dict]:
    """The model and its configuration with the encoder's first layers alone.

    Learned codes ask for no more.
    """
    config = {**config, "encoder": {**config["encoder"], "num_layers": num_layers}}
    smaller = UniWav.from_config(config)
    if num_layers:
        weights = model.encoder.state_dict()
        kept = {key: weights[key] for key in smaller.encoder.state_dict()}
        smaller.encoder.load_state_dict(kept)
    smaller.features, smaller.decoder = model.features, model.decoder
    return smaller, config


def load_with_decoder(
    checkpoint: str | Path, decoder: str | Path | None, random_seed: int | None = None
) -> tuple[UniWav, dict]:
    """Load a model and its configuration, with an untrained decoder if one is named.

    With a seed, all weights but those of the features are random.

    Raises:
        FileNotFoundError, ValueError: If a checkpoint is missing or broken.
    """
    if random_seed is None:
        model = load_checkpoint(checkpoint)
    else:
        model = untrained_model(checkpoint, random_seed)
    config = read_checkpoint(checkpoint).model
    if decoder is not None:
        found = read_checkpoint(decoder)
        found.require(UniWav.kind)
        other = found.model
        config = {
            **config,
            **{k: other[k] for k in ("decoder", "kept_frames") if k in other},
        }
        trained = model
        model = UniWav.from_config(config)
        model.features, model.encoder = trained.features, trained.encoder
    return model, config
