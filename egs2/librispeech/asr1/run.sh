#!/usr/bin/env bash
# Fine-tune UniWav + CTC on 100 or 960 hours of LibriSpeech, through ESPnet's own asr.sh.
#   ESPNET_ROOT=~/espnet ./run.sh --hours 100 --checkpoint FOLDER [asr.sh OPTION ...]
set -euo pipefail
cd "$(dirname "$0")"

hours=100
checkpoint=             # folder of `uniwav export`, or a name: `uniwav models`
asr_args=               # more arguments of espnet2.bin.asr_train
usage="usage: ESPNET_ROOT=DIR $0 --hours 100|960 --checkpoint NAME [asr.sh OPTION ...]"
while [ $# -ge 2 ]; do
    case $1 in
        --hours) hours=$2 ;;
        --checkpoint) checkpoint=$2 ;;
        --asr_args) asr_args=$2 ;;
        *) break ;;
    esac
    shift 2
done
case $hours in
    100) train_set=train_clean_100 ;;
    960) train_set=train_960 ;;
    *) echo "--hours $hours: expected 100 or 960. $usage" >&2; exit 2 ;;
esac
./setup.sh
. ./path.sh
if ! command -v sclite > /dev/null; then
    echo "no sclite: asr.sh will fail at scoring, its last stage; apt-get install sctk" >&2
fi
if ! checkpoint=$(python3 -m espnet_uniwav.cli.uniwav models --folder -- "$checkpoint"); then
    echo "$usage" >&2
    exit 2
fi

./asr.sh \
    --python "python3 -m espnet_uniwav.run" \
    --lang en \
    --ngpu 1 \
    --token_type char \
    --feats_type raw \
    --audio_format flac.ark \
    --max_wav_duration 30 \
    --feats_normalize utterance_mvn \
    --use_lm false \
    --asr_tag "uniwav_ctc_${hours}h" \
    --asr_config "conf/train_asr_ctc_${hours}h.yaml" \
    --asr_args "--frontend_conf checkpoint=$checkpoint $asr_args" \
    --inference_config conf/decode_asr.yaml \
    --inference_asr_model valid.cer_ctc.ave.pth \
    --train_set "$train_set" \
    --valid_set dev \
    --test_sets "test_clean test_other dev_clean dev_other" \
    --lm_train_text "data/$train_set/text" "$@"
