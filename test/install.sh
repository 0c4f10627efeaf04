#!/usr/bin/env bash
# Install our wheel, with what it asks for and no pins, into an empty environment, use it
# and run tests against it. Takes a quarter of an hour and 8 GB for each Python; both are
# deleted at the end.
#   test/install.sh [PYTHON ...]       default: 3.11, and 3.13 or 3.12 if there is one
# KEEP=FOLDER keeps the environments in it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# find_python VERSION: its path; of the system or of pyenv.
find_python() {
    local python
    for python in "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if "$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# install FOLDER PYTHON: our wheel into FOLDER/env, with the extras of stock recipes and tests.
install() {
    # A copy, so that no old build/ comes along.
    mkdir -p "$1/sources"
    (cd "$root" && cp -r setup.cfg pyproject.toml README.md LICENSE espnet_uniwav "$1/sources")
    "$2" -m venv "$1/env"
    export PATH="$1/env/bin:$PATH"
    unset PYTHONPATH
    # pip 26.3 refuses a dependency of ESPnet 202511, the last one for Python 3.11.
    python -m pip install --quiet "pip<26.3"
    python -m pip wheel --quiet --no-deps -w "$1" "$1/sources"
    python -m pip uninstall --quiet --yes espnet-uniwav
    python -m pip install --quiet "$(ls "$1"/espnet_uniwav-*.whl)[recipe,test]"
    python -m pip check
    python -m pip list 2>/dev/null |
        grep -iE '^(espnet|torch|torchaudio|s3prl|numpy|transformers|huggingface.hub) '
}

# use: the commands of the README, with the packaged models.
use() {
    uniwav --help > help.txt
    uniwav models
    uniwav tts --text "Anything you like, on 3 May at 5:30 p.m." --output out.wav
    uniwav infill out.wav filled.wav --start 0.5 --end 0.7
    echo "out $PWD/out.wav" > wav.scp
    uniwav tokenize wav.scp CODES && uniwav detokenize CODES OUT
    python - << 'END'
import torch

from espnet_uniwav import UniWav

model = UniWav.from_pretrained("small")
x, _ = model.features.extract(torch.randn(1, 8000), torch.tensor([8000]))
print(len(model.hidden_states(x)), "states of small")
END
    python -m espnet_uniwav.run -m espnet2.bin.ssl_train --print_config \
        --frontend uniwav --encoder uniwav --model uniwav > config.yaml
    grep -q '^frontend: uniwav$' config.yaml
    python -m espnet_uniwav.run -m s3prl.run_downstream --help > downstream.txt
    python -c "from espnet_uniwav.plugin import register_s3prl as r; r(); import s3prl.hub as h; h.uniwav_local"
}

# run_tests: those of the adapters and of speech.
run_tests() {
    OMP_NUM_THREADS=1 pytest -q -p no:cacheprovider -c "$root/setup.cfg" --rootdir "$root" \
        "$root"/test/{integrations/espnet,integrations/s3prl,apps/tts,apps/text}
}

check() {
    local python folder
    python=$(command -v "$1") || { echo "$1: no such Python" >&2; exit 1; }
    folder=${KEEP:-$(mktemp -d)}/$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [ -n "${KEEP:-}" ] || trap 'rm -rf "$(dirname "$folder")"' EXIT
    (
        install "$folder" "$python"
        cd "$folder"
        use
        run_tests
        echo "installed, used and tested: $(python --version)"
    )
    [ -n "${KEEP:-}" ] || rm -rf "$(dirname "$folder")"
}

if [ $# = 0 ]; then
    set -- "$(find_python 3.11 || echo python3)"
    if newer=$(find_python 3.13 || find_python 3.12); then
        set -- "$@" "$newer"
    else
        echo "no Python 3.12 or 3.13 here: only $1 is checked"
    fi
fi
for python in "$@"; do
    check "$python"
done
