#!/usr/bin/env bash
# Install our wheel, with what it asks for and no pins, into an empty environment, and
# use it. Takes minutes and about 8 GB, which are deleted at the end.
#   test/install.sh [PYTHON] [FOLDER, which is kept]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
if [ $# -ge 2 ]; then
    folder=$2
    mkdir -p "$folder"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

# A copy, so that no old build/ comes along.
mkdir -p "$folder/sources"
cp -r setup.cfg pyproject.toml README.md LICENSE espnet_uniwav "$folder/sources"
"$python" -m venv "$folder/env"
export PATH="$folder/env/bin:$PATH"
unset PYTHONPATH
python -m pip wheel --quiet --no-deps -w "$folder" "$folder/sources"
python -m pip install --quiet "$folder"/espnet_uniwav-*.whl
python -m pip check
python -m pip list 2>/dev/null | grep -iE '^(espnet|torch|torchaudio|s3prl|numpy) '

cd "$folder"
uniwav --help > help.txt
uniwav models
uniwav tts --text "Hello." --output hello.wav
python - << 'EOF'
from espnet_uniwav.ssl.encoder import Encoder
print(Encoder(80, num_layers=2).num_layers, "layers")
EOF
python -m espnet_uniwav.run -m espnet2.bin.ssl_train --print_config \
    --frontend uniwav --encoder uniwav --model uniwav > config.yaml
grep -q '^frontend: uniwav$' config.yaml
python -c "from espnet_uniwav.plugin import register_s3prl as r; r(); import s3prl.hub as h; h.uniwav_local"
echo "installed and used: $(python --version)"
