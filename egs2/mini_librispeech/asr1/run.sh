#!/usr/bin/env bash
# Recognise mini LibriSpeech with a pre-trained UniWav: characters, CTC, test-clean.
#   ./run.sh [--librispeech DIR] [--checkpoint DIR] [mini_speech/asr1 OPTION VALUE ...]
set -euo pipefail
cd "$(dirname "$0")"
. ../corpus.sh
# The longest utterance of test-clean has 35 s; utterances that are cut lose their text.
exec ../../mini_speech/asr1/run.sh --corpus "$corpus" --data "$PWD/data" \
    --exp "$PWD/exp" --test_sets test --data_args "--max_seconds 36" \
    --asr_config "$PWD/conf/train_asr_ctc.yaml" \
    --checkpoint "$(realpath -m ../ssl1/exp/train_small/checkpoint)" "${options[@]}"
