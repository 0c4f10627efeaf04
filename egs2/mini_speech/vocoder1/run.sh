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
bf16=                   # compute in bfloat16: true, false; empty: if the CPU supports it
seed=0
data=data
expdir=

. ../ssl1/options.sh
. ./path.sh
[ -n "$expdir" ] || expdir=exp/$(basename "$vocoder_config" .yaml)_seed$seed

if want 1; then
    log "stage 1: ${corpus:-Asterisk core sounds} -> ${data}"
    if [ -z "$corpus" ]; then
        corpus=downloads/asterisk
        ${python} -m espnet_uniwav.data.asterisk "$corpus"
    fi
    ${python} -m espnet_uniwav.data.prepare "$corpus" "$data"
fi

if want 2; then
    log "stage 2: training ${vocoder_config}; log: ${expdir}/train.log"
    mkdir -p "$expdir"
    conf=$expdir/$(basename "$vocoder_config")
    multi=$([ "$ngpu" -gt 1 ] && echo true || echo false)
    ${python} -m espnet_uniwav.bin.config "$vocoder_config" > "$conf"
    ${python} -m espnet2.bin.gan_codec_train --config "$conf" --output_dir "$expdir" \
        --resume true --seed "$seed" --ngpu "$ngpu" \
        --multiprocessing_distributed "$multi" --codec_conf bf16="${bf16:-$(has_bf16)}" \
        --train_data_path_and_name_and_type "$data/train/wav.scp,audio,sound" \
        --valid_data_path_and_name_and_type "$data/dev/wav.scp,audio,sound" \
        --train_shape_file "$data/train/speech_shape" \
        --valid_shape_file "$data/dev/speech_shape" ${train_args} \
        2>&1 | tee -a "$expdir/train.log" | python3 ../ssl1/local/progress.py
fi

if want 3; then
    log "stage 3: ${expdir} -> ${expdir}/checkpoint"
    ${python} -m espnet_uniwav.bin.export "$expdir" "$expdir/checkpoint"
fi

if want 4 && [ -n "$lines" ]; then
    log "stage 4: ${expdir}/scores"
    ${python} -m espnet_uniwav.bin.score "$lines" --vocoder "$expdir/checkpoint" \
        --output "$expdir/scores" --title "Copies through log-mel features" ${score_args}
fi
