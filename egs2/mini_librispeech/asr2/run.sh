#!/usr/bin/env bash
# Recognise mini LibriSpeech from tokens alone: characters, CTC, test-clean.
#   ./run.sh [--librispeech DIR] [--tokenizer NAME] [mini_speech/asr2 OPTION VALUE ...]
set -euo pipefail
cd "$(dirname "$0")"
. ../corpus.sh
# The longest utterance of test-clean has 35 s; utterances that are cut lose their text.
exec ../../mini_speech/asr2/run.sh --corpus "$corpus" --data "$PWD/data" \
    --exp "$PWD/exp" --test_sets test --data_args "--max_seconds 36" \
    --asr_config "$PWD/conf/train_discrete_asr.yaml" "${options[@]}"
