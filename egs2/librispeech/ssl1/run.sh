#!/usr/bin/env bash
# Pre-train UniWav on 960 hours of LibriSpeech, through ESPnet's own ssl.sh.
#   ESPNET_ROOT=~/espnet ./run.sh [--codec FOLDER] [ssl.sh OPTION, such as --ngpu 4 ...]
set -euo pipefail
cd "$(dirname "$0")"

train_config=../../mini_speech/ssl1/conf/train_base.yaml
codec=                  # folder of `uniwav codec`; empty: log-mel features
ssl_args=               # more arguments of espnet2.bin.ssl_train
while [ $# -ge 2 ]; do
    case $1 in
        --train_config) train_config=$2 ;;
        --codec) codec=$2 ;;
        --ssl_args) ssl_args=$2 ;;
        *) break ;;
    esac
    shift 2
done
./setup.sh
. ./path.sh

mkdir -p data
printf '<blank>\n<unk>\n<sos/eos>\n' > data/token_list
conf=data/$(basename "$train_config")
python3 -m espnet_uniwav.cli.uniwav config "$train_config" > "$conf"
if [ -n "$codec" ]; then
    ssl_args+=" --frontend_conf features=neural_codec"
    ssl_args+=" --frontend_conf features_conf.checkpoint=$(realpath "$codec")"
fi

# ssl.sh reads the variable iter from the environment.
iter=0 ./ssl.sh \
    --python "python3 -m espnet_uniwav.run" \
    --lang en \
    --audio_format flac.ark \
    --max_wav_duration 36 \
    --token_list data/token_list \
    --train_config "$conf" \
    --ssl_args "--use_preprocessor false $ssl_args" \
    --train_set train_960 \
    --valid_set dev "$@"
