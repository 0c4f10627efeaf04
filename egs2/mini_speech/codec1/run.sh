#!/usr/bin/env bash
# Train a neural codec, and use its latents as features of pre-training. Stages:
#   1 corpus and data folders   2 training   3 feature space
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=3
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # folder of audio or Kaldi data folder; empty: Asterisk prompts
codec_config=conf/codec_tiny.yaml
train_args=             # more arguments of espnet2.bin.gan_codec_train
num_valid=32            # utterances of dev for validation
model=latest.pth
seed=0
data=data
expdir=

. ../stages.sh
. ./path.sh
[ -n "$expdir" ] || expdir=exp/$(basename "$codec_config" .yaml)_seed$seed

if want 1; then
    log "stage 1: ${corpus:-Asterisk core sounds} -> ${data}"
    [ -n "$corpus" ] || fetch_corpus
    ${python} -m espnet_uniwav.lab.corpora.prepare "$corpus" "$data"
fi

if want 2; then
    log "stage 2: training ${codec_config}; log: ${expdir}/train.log"
    mkdir -p "$expdir"
    # Some utterances of dev are enough: a chunk of GAN validation takes a second.
    for table in wav.scp speech_shape; do
        head -n "$num_valid" "$data/dev/$table" > "$expdir/valid_$table"
    done
    conf=$(write_config "$codec_config")
    [ -f "$expdir/start.pth" ] || ${python} local/start.py "$conf" "$expdir/start.pth"
    inputs=()
    add_inputs train "$data/train" speech_shape wav.scp,audio,sound
    inputs+=(--valid_data_path_and_name_and_type "$expdir/valid_wav.scp,audio,sound"
        --valid_shape_file "$expdir/valid_speech_shape")
    train_model gan_codec_train "$codec_config" --init_param "$expdir/start.pth" \
        --seed "$seed" "${inputs[@]}" ${train_args}
fi

if want 3; then
    log "stage 3: ${expdir} -> ${expdir}/features"
    ${python} -m espnet_uniwav.cli.uniwav codec "$expdir" "$data/train/wav.scp" \
        "$expdir/features" --model_file "$model"
fi
