#!/usr/bin/env bash
# Fine-tune UniWav for TTS on LibriSpeech, through ESPnet's own tts.sh.
#   ESPNET_ROOT=~/espnet ./run.sh --librispeech DIR --checkpoint FOLDER [tts.sh OPTION ...]
set -euo pipefail
cd "$(dirname "$0")"

librispeech=            # folder with train-clean-100, dev-clean, test-clean, ...
checkpoint=             # folder of `uniwav export`, or a name: `uniwav models`
hours=960               # 100 or 960
textgrids=              # folder of the Montreal Forced Aligner; empty: align with PocketSphinx
versa=false             # true: score with VERSA, a separate package
train_args=             # more arguments of espnet2.bin.tts_train
usage="usage: ESPNET_ROOT=DIR $0 --librispeech DIR --checkpoint NAME [--hours 100|960]"
usage+=" [--textgrids DIR] [--versa true] [tts.sh OPTION ...]"
while [ $# -ge 2 ]; do
    case $1 in
        --librispeech) librispeech=$2 ;;
        --checkpoint) checkpoint=$2 ;;
        --hours) hours=$2 ;;
        --textgrids) textgrids=$2 ;;
        --versa) versa=$2 ;;
        --train_args) train_args=$2 ;;
        *) break ;;
    esac
    shift 2
done
case $hours in
    100) train_set=train_clean_100 ;;
    960) train_set=train_960 ;;
    *) echo "--hours $hours: expected 100 or 960. $usage" >&2; exit 2 ;;
esac
if [ ! -d "$librispeech/dev-clean" ]; then
    echo "--librispeech '$librispeech': no dev-clean there. $usage" >&2
    exit 2
fi
if [ "$versa" = true ] && ! python3 -c "import versa" 2> /dev/null; then
    echo "--versa true needs the package versa: https://github.com/wavlab-speech/versa" >&2
    exit 2
fi
./setup.sh
. ./path.sh
if ! checkpoint=$(python3 -m espnet_uniwav.cli.uniwav models --folder -- "$checkpoint"); then
    echo "$usage" >&2
    exit 2
fi

exp=exp/tts_uniwav_${hours}h
# The last stage, VERSA, needs tables that tts.sh does not write.
scoring=()
! grep -q '^skip_scoring=' tts.sh || scoring=(--skip_scoring true)

tts() {
    ./tts.sh \
        --python "python3 -m espnet_uniwav.run" \
        --lang en \
        --ngpu 1 \
        --local_data_opts "$(realpath "$librispeech") $train_set data/durations $textgrids" \
        --feats_type raw \
        --fs 16000 \
        --audio_format flac \
        --feats_extract uniwav \
        --feats_normalize none \
        --n_shift 320 \
        --token_type phn \
        --cleaner none \
        --g2p none \
        --tts_task tts \
        --train_config conf/train_tts.yaml \
        --train_args "--tts_conf checkpoint=$checkpoint $train_args" \
        --tag "uniwav_${hours}h" \
        --inference_model valid.loss.best.pth \
        --train_set "$train_set" \
        --valid_set dev \
        --test_sets test_prompted \
        --srctexts "data/$train_set/text" "${scoring[@]}" "$@"
}
# Durations are only given in training.
tts --teacher_dumpdir data/durations --skip_eval true "$@"
tts --skip_data_prep true --skip_train true "$@"
if [ "$versa" = true ]; then
    tag=$(local/versa.sh "$exp" data/test_prompted data/versa/raw/test_prompted)
    tts --versa_config "$ESPNET_ROOT/egs2/TEMPLATE/tts1/conf/versa.yaml" "$@" \
        --skip_scoring false --stage 9 --stop_stage 9 \
        --dumpdir data/versa --inference_tag "$tag"
fi
