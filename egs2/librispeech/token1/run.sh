#!/usr/bin/env bash
# Speech tokens on LibriSpeech, as in the paper: 500 bit/s, or 1000 with two codebooks.
#   ./run.sh --librispeech DIR --checkpoint FOLDER [mini_speech/token1 OPTION ...]
set -euo pipefail
cd "$(dirname "$0")"

librispeech=            # folder with train-clean-100, dev-clean, test-clean, ...
checkpoint=             # folder of `uniwav export`, or a name: `uniwav models`
usage="usage: $0 --librispeech DIR --checkpoint NAME [mini_speech/token1 OPTION ...]"
while [ $# -ge 2 ]; do
    case $1 in
        --librispeech) librispeech=$2 ;;
        --checkpoint) checkpoint=$2 ;;
        *) break ;;
    esac
    shift 2
done
if [ ! -d "$librispeech/dev-clean" ]; then
    echo "--librispeech '$librispeech': no dev-clean there. $usage" >&2
    exit 2
fi
. ./path.sh
if ! checkpoint=$(python3 -m espnet_uniwav.cli.uniwav models --folder -- "$checkpoint"); then
    echo "$usage" >&2
    exit 2
fi

declare -A parts=([train]="train-clean-100 train-clean-360 train-other-500"
    [dev]=dev-clean [test_clean]=test-clean [test_other]=test-other)
for name in "${!parts[@]}"; do
    read -ra chosen <<< "${parts[$name]}"
    [ -f "data/$name/wav.scp" ] || python3 -m espnet_uniwav.lab.corpora.librispeech_parts \
        "$(realpath "$librispeech")" "data/$name" "${chosen[@]}"
done
exec ../../mini_speech/token1/run.sh --stage 2 --data "$PWD/data" \
    --checkpoint "$checkpoint" --expdir "$PWD/exp/tokenizer_base" \
    --token_config "$PWD/conf/tokenizer_base.yaml" --ngpu 1 \
    --test_sets "test_clean test_other" "$@"
