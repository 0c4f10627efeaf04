#!/usr/bin/env bash
# Pre-train UniWav on 60,000 hours of Libri-Light, through ESPnet's own ssl.sh.
#   ESPNET_ROOT=~/espnet ./run.sh --librilight DIR [--codec FOLDER] [ssl.sh OPTION ...]
set -euo pipefail
cd "$(dirname "$0")"

train_config=../../mini_speech/ssl1/conf/train_large.yaml
librilight=             # folder with the unpacked parts small, medium, large
codec=                  # folder of `uniwav codec`; empty: log-mel features
ssl_args=               # more arguments of espnet2.bin.ssl_train
while [ $# -ge 2 ]; do
    case $1 in
        --train_config) train_config=$2 ;;
        --librilight) librilight=$2 ;;
        --codec) codec=$2 ;;
        --ssl_args) ssl_args=$2 ;;
        *) break ;;
    esac
    shift 2
done
if [ ! -d "$librilight" ]; then
    echo "--librilight '$librilight': no such folder: unpack small.tar, medium.tar and" \
        "large.tar of https://github.com/facebookresearch/libri-light there" >&2
    exit 2
fi
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
    --local_data_opts "$(realpath "$librilight")" \
    --token_list data/token_list \
    --train_config "$conf" \
    --ssl_args "--use_preprocessor false $ssl_args" \
    --train_set train \
    --valid_set dev "$@"
