#!/usr/bin/env bash
# Pre-train UniWav on mini LibriSpeech and write a report.
#   ./run.sh [--librispeech DIR] [--more "DIR ..."] [mini_speech/ssl1 OPTION VALUE ...]
set -euo pipefail
cd "$(dirname "$0")"
data_stage=2            # reads the corpus
. ../corpus.sh
exec ../../mini_speech/ssl1/run.sh --corpus "$corpus" --data "$PWD/data" \
    --exp "$PWD/exp" --report "$PWD/report/index.html" \
    --train_config "$PWD/conf/train_small.yaml" "${options[@]}"
