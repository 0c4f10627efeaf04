"""``espnet_uniwav`` itself: names that are imported when they are used."""

import subprocess
import sys

import pytest

import espnet_uniwav
import espnet_uniwav.apps.tokenizer


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, espnet_uniwav, espnet_uniwav.apps.tokenizer;"
        "print({'numpy', 'torch', 'espnet2', 's3prl'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "set()\n", found.stderr


def test_every_name_is_there():
    assert set(espnet_uniwav.__all__) <= set(dir(espnet_uniwav))
    for name in espnet_uniwav.__all__:
        found = getattr(espnet_uniwav, name)
        assert name == "__version__" or found.__name__ == name
    assert espnet_uniwav.apps.tokenizer.UniWavTokenizer is espnet_uniwav.UniWavTokenizer


@pytest.mark.parametrize("module", [espnet_uniwav, espnet_uniwav.apps.tokenizer])
def test_other_names_are_not(module):
    with pytest.raises(AttributeError, match="has no attribute 'UniWave'"):
        module.UniWave
