import pytest
import torch

pytest.importorskip("espnet2")
from espnet2.tasks.ssl import SSLTask  # noqa: E402
from espnet_case import make_args  # noqa: E402

from espnet_uniwav import plugin  # noqa: E402

plugin.register()


@pytest.fixture
def make_ssl(tmp_path):
    """Builds the SSL model of ``make_args``, always from the same weights."""

    def make(**overrides):
        torch.manual_seed(0)
        return SSLTask.build_model(make_args(tmp_path, **overrides)).train()

    return make
