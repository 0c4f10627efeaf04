"""Initial weights of a codec whose quantiser and convolutions preserve the signal.

    python local/start.py CONF OUT.pth

Each stage of ESPnet's residual quantiser (SoundStream, EnCodec) maps the latents to 512
values and back. Unless the latents are 512 wide themselves, these are two random
matrices whose product is far from the identity. The straight-through gradient bypasses
them, so they never learn the identity. The codes then do not code the latents, which
grow without bound. Here the columns of the first matrix are orthonormal and the second
is its transpose, so only the rounding to codes remains.
`freeze_param: [codec.generator.quantizer]` keeps them frozen; the codes still learn.

With `encdec_norm: none` the convolutions and the LSTM start with Glorot's weights.
PyTorch's default weights shrink the signal: the latents have a standard deviation of
0.002, and after a short training the output is the same buzz for any input. Pass
OUT.pth as `--init_param`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from espnet2.tasks.gan_codec import GANCodecTask
from espnet2.torch_utils.initialize import initialize

from espnet_uniwav.cli.command import run_script
from espnet_uniwav.io.output import atomic_write

FROZEN = "codec.generator.quantizer"


def write_start(conf: Path, out: Path, seed: int = 0) -> None:
    """Write the weights.

    Args:
        conf: Configuration of ESPnet's GAN codec task.
        out: File (.pth) to write.
        seed: Seed of all random draws.
    """
    args = GANCodecTask.get_parser().parse_args(
        ["--config", str(conf), "--output_dir", str(out.parent)]
    )
    if FROZEN not in args.freeze_param:
        raise ValueError(f"{conf}: expected freeze_param: [{FROZEN}]")
    torch.manual_seed(seed)
    model = GANCodecTask.build_model(args)
    start(model.codec.generator)
    with atomic_write(out, "wb") as file:
        torch.save(model.state_dict(), file)


@torch.no_grad()
def start(generator: torch.nn.Module) -> None:
    """Set the weights of an ESPnet SoundStream generator."""
    for part in (generator.encoder, generator.decoder):
        if not any(name.endswith("weight_g") for name, _ in part.named_parameters()):
            initialize(part, "xavier_normal")
    for stage in generator.quantizer.vq.layers:
        there, back = stage.project_in, stage.project_out
        if isinstance(there, torch.nn.Identity):
            continue
        torch.nn.init.orthogonal_(there.weight)
        back.weight.copy_(there.weight.T)
        torch.nn.init.zeros_(there.bias)
        torch.nn.init.zeros_(back.bias)


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    run_script(write_start, "conf out", argv)


if __name__ == "__main__":
    main()
