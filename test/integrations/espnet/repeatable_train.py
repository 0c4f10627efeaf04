"""``ssl_train`` whose masks, times and noise depend on the data alone.

So that processes with parts of a batch can be compared with one that has all of it.
With DIE_AT=N the last process kills itself in its N-th batch of training.
"""

import os
import signal

import torch

from espnet_uniwav import plugin
from espnet_uniwav.core.nn.masks import lengths_to_padding_mask
from espnet_uniwav.core.ssl.mask import SpanMask

plugin.register()


def every_third_frame(self, lengths, num_frames):
    hidden = torch.arange(num_frames) % 3 == 0
    return hidden & ~lengths_to_padding_mask(lengths, num_frames)


def main():
    SpanMask.forward = every_third_frame
    torch.rand = lambda *size, **options: torch.full(size, 0.4)
    torch.randn_like = lambda x: torch.cos(7.0 * x)
    from espnet2.bin.ssl_train import main as train

    from espnet_uniwav.integrations.espnet.ssl import UniWavSSLModel

    last = os.environ.get("RANK") == str(int(os.environ.get("WORLD_SIZE", 1)) - 1)
    left = [int(os.environ.get("DIE_AT", 0))] if last else [0]
    forward = UniWavSSLModel.forward

    def forward_or_die(self, *args, **kwargs):
        if self.training:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return forward(self, *args, **kwargs)

    UniWavSSLModel.forward = forward_or_die
    train()


if __name__ == "__main__":
    main()
