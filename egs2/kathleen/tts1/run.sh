#!/usr/bin/env bash
# A voice: `small` fine-tuned on one speaker, 1.4 hours of studio speech under CC0.
#   ./run.sh [--corpus DIR] [mini_speech/tts1 OPTION VALUE ...]
# 2500 more updates: --stage 4 --expdir OTHER
#   --tts_config conf/train_tts_small_more.yaml --tts_args "--init_param exp/train_tts_small_seed0/latest.pth"
# Paths are relative to this folder, configurations also to mini_speech's.
#   --corpus DIR    a clone of github.com/rhasspy/dataset-voice-kathleen; else it is downloaded
set -euo pipefail
cd "$(dirname "$0")"
. ./path.sh
. ../../mini_speech/options.sh
corpus=$PWD/downloads/dataset-voice-kathleen
read_options corpus "$@"
corpus=$(realpath -m "$corpus")
table=$PWD/data/corpus/transcripts.tsv
if [ ! -f "$table" ]; then
    [ -d "$corpus/data" ] ||
        git clone --depth 1 https://github.com/rhasspy/dataset-voice-kathleen "$corpus"
    mkdir -p "${table%/*}"
    for text in "$corpus"/data/*.txt; do
        wav=${text%.txt}.wav
        printf '%s\tkathleen\t%s\t%s\n' "kathleen_$(basename "$wav" .wav)" "$wav" "$(<"$text")"
    done | cat <(printf 'utt\tspeaker\tpath\ttext\n') - > "$table.partial"
    mv "$table.partial" "$table"
fi
exec ../../mini_speech/tts1/run.sh --corpus "${table%/*}" --data "$PWD/data" \
    --exp "$PWD/exp" --data_args "--test_share 0.053 --dev_share 0.03" --test_sets test \
    --prompts train --num_lines 60 --checkpoint small \
    --tts_config "$PWD/conf/train_tts_small.yaml" "${options[@]}"
