#!/usr/bin/env bash
# Data folders with phones as text, and durations where tts.sh expects those of a teacher.
#   local/data.sh LIBRISPEECH TRAIN_SET DURATIONS [TEXTGRIDS]
set -euo pipefail
. ./path.sh
corpus=$1
train_set=$2
durations=$3
textgrids=${4:-}
scripts=$UNIWAV_ROOT/egs2/mini_speech/tts1/local
declare -A parts=([train_clean_100]=train-clean-100 [dev]=dev-clean [test]=test-clean
    [train_960]="train-clean-100 train-clean-360 train-other-500")

for name in dev test "$train_set"; do
    read -ra chosen <<< "${parts[$name]}"
    python3 -m espnet_uniwav.lab.corpora.librispeech_parts "$corpus" "data/all/$name" "${chosen[@]}"
    method=(--method pocketsphinx)
    [ -z "$textgrids" ] || method=(--method mfa --textgrids "$textgrids")
    python3 -m espnet_uniwav.cli.uniwav align "data/all/$name" "data/alignment/$name" \
        --allow_failed "${method[@]}"
    python3 -m espnet_uniwav.lab.align.write_durations "data/all/$name" "data/alignment/$name"
    mkdir -p "data/$name" "$durations/$name"
    cp "data/all/$name/phones" "data/$name/text"
    cp "data/all/$name/durations" "$durations/$name/durations"
    for table in wav.scp utt2spk; do
        utils/filter_scp.pl "data/$name/text" "data/all/$name/$table" > "data/$name/$table"
    done
    utils/utt2spk_to_spk2utt.pl "data/$name/utt2spk" > "data/$name/spk2utt"
done
python3 -m espnet_uniwav.apps.tts.pick_lines data/all/test data/alignment/test data/lines
python3 local/prompted.py data/lines/aligned.tsv data/test_prompted
