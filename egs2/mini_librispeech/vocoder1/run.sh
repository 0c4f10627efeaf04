#!/usr/bin/env bash
# The packaged vocoder: train on all speech at hand, test on held-out speakers.
#   ./run.sh [--librispeech DIR] [--all true] [--more DIR] [mini_speech/vocoder1 OPTION VALUE ...]
set -euo pipefail
cd "$(dirname "$0")"
. ../corpus.sh
exec ../../mini_speech/vocoder1/run.sh --corpus "$corpus" --data "$PWD/data" \
    --vocoder_config "$PWD/conf/vocoder_small.yaml" --expdir "$PWD/exp/vocoder_small" \
    "${options[@]}"
