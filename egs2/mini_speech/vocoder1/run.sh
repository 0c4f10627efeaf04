#!/usr/bin/env bash
# Train a vocoder for log-mel features. Stages:
#   1 corpus and data folders   2 training   3 export   4 scores of copies
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=4
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # folder of audio or Kaldi data folder; empty: Asterisk prompts
vocoder_config=conf/vocoder_tiny.yaml
train_args=             # more arguments of espnet2.bin.gan_codec_train
lines=                  # table for `uniwav score`, such as tts1's; empty: no scores
score_args=             # more arguments of `uniwav score`
bf16=                   # compute in bfloat16: true, false; empty: if that is faster
seed=0
data=data
expdir=

. ../stages.sh
. ./path.sh
[ -n "$expdir" ] || expdir=exp/$(basename "$vocoder_config" .yaml)_seed$seed

if want 1; then
    log "stage 1: ${corpus:-Asterisk core sounds} -> ${data}"
    [ -n "$corpus" ] || fetch_corpus
    ${python} -m espnet_uniwav.lab.corpora.prepare "$corpus" "$data"
fi

if want 2; then
    log "stage 2: training ${vocoder_config}; log: ${expdir}/train.log"
    inputs=()
    add_inputs train "$data/train" speech_shape wav.scp,audio,sound
    add_inputs valid "$data/dev" speech_shape wav.scp,audio,sound
    train_model gan_codec_train "$vocoder_config" --seed "$seed" \
        --codec_conf bf16="${bf16:-$(has_bf16)}" "${inputs[@]}" ${train_args}
fi

if want 3; then
    export_model 3
fi

if want 4 && [ -n "$lines" ]; then
    log "stage 4: ${expdir}/scores"
    ${python} -m espnet_uniwav.cli.uniwav score "$lines" --vocoder "$expdir/checkpoint" \
        --output "$expdir/scores" --title "Copies through log-mel features" ${score_args}
fi
