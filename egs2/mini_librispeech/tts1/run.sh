#!/usr/bin/env bash
# Synthesise speech with a pre-trained UniWav, in the voices of LibriSpeech's test-clean.
#   ./run.sh [--librispeech DIR] [--checkpoint DIR] [mini_speech/tts1 OPTION VALUE ...]
set -euo pipefail
cd "$(dirname "$0")"
. ../corpus.sh
exec ../../mini_speech/tts1/run.sh --corpus "$corpus" --data "$PWD/data" \
    --exp "$PWD/exp" --test_sets test \
    --checkpoint "$(realpath -m ../ssl1/exp/train_small/checkpoint)" "${options[@]}"
