#!/usr/bin/env bash
# Speech tokens of a pre-trained UniWav on mini LibriSpeech, scored on test-clean.
#   ./run.sh [--librispeech DIR] [--checkpoint DIR] [mini_speech/token1 OPTION VALUE ...]
set -euo pipefail
cd "$(dirname "$0")"
. ../corpus.sh
exec ../../mini_speech/token1/run.sh --corpus "$corpus" --data "$PWD/data" \
    --exp "$PWD/exp" --test_sets test \
    --layer learned --num_codebooks 4 \
    --cluster_args "--frames_per_code 2 --speaker_code_length 32 --semantic_layer 4" \
    --token_config "$PWD/conf/tokenizer_small.yaml" \
    --checkpoint "$(realpath -m ../ssl1/exp/train_small/checkpoint)" "${options[@]}"
