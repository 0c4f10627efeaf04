"""Weights for a codec to start from, which let a signal through.

    python local/start.py CONF OUT.pth

In ESPnet's SoundStream and EnCodec each convolution starts with PyTorch's weights, all
of which make a signal smaller: the latents are 0.002 wide, and a short training never
gets beyond one buzz for any input. Here encoder and decoder start with Glorot's. Give
OUT.pth as `--init_param`; the configuration needs `encdec_norm: none`, because a weight
norm has weights of its own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from espnet2.tasks.gan_codec import GANCodecTask
from espnet2.torch_utils.initialize import initialize


def main() -> None:
    """Run the command; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("conf", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    own = parser.parse_args()
    args = GANCodecTask.get_parser().parse_args(
        ["--config", str(own.conf), "--output_dir", str(own.out.parent)]
    )
    norm = args.codec_conf["generator_params"].get("encdec_norm", "weight_norm")
    if norm != "none":
        raise ValueError(f"{own.conf}: expected encdec_norm: none, found {norm}")
    torch.manual_seed(own.seed)
    model = GANCodecTask.build_model(args)
    for part in (model.codec.generator.encoder, model.codec.generator.decoder):
        initialize(part, "xavier_normal")
    torch.save(model.state_dict(), own.out)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"start.py: {error}")
