#!/usr/bin/env bash
# Checks and measures everything that a GPU does, in about ten minutes: gpu_check.md.
#   local/gpu_check.sh [--device cpu] [OPTION of espnet_uniwav.lab.benchmark.gpu_check ...]
set -euo pipefail
cd "$(dirname "$0")/.."
. ./path.sh

python3 -m espnet_uniwav.lab.benchmark.gpu_check --output gpu_check.md "$@"
