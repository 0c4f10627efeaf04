#!/usr/bin/env bash
# The control: an encoder trained to predict clusters of log-mel frames (HuBERT's first iteration), then
# clusters of its own states (second iteration). Run ../run.sh --stop_stage 2 before.
#   local/hubert.sh [OPTION VALUE ...]       options as of ../run.sh, and those below
set -euo pipefail
cd "$(dirname "$0")/.."

stage=1                 # 1: first iteration   2: second iteration
stop_stage=2
ngpu=0
python="python3 -m espnet_uniwav.run"
train_config=$PWD/conf/tuning/train_small_hubert.yaml
train_args=             # more arguments of espnet2.bin.ssl_train, for both iterations
first=small             # a checkpoint for its features and for a decoder; neither encoder nor decoder is trained
layer=4                 # whose states are clustered for the second iteration
num_classes=100         # labels of the first iteration
num_states=500          # of the second
bf16=                   # compute in bfloat16: true, false; empty: if that is faster
seed=0
data=data
exp=$PWD/exp/hubert

. ../../mini_speech/stages.sh
. ./path.sh

# label CHECKPOINT LAYER CLASSES OUT: a label for every frame of train and dev, by clusters of a
# tenth of the utterances, as HuBERT's authors do.
label() {
    local out=$4 name
    mkdir -p "$out"
    awk 'NR % 10 == 1' "$data/train/wav.scp" > "$out/wav.scp"
    [ -d "$out/clusters" ] || with_cpu_seconds "$out" \
        ${python} -m espnet_uniwav.cli.uniwav cluster "$1" "$out/wav.scp" "$out/clusters" \
            --decoder "$first" --layer "$2" --codebook_size "$3" --seed "$seed"
    for name in train dev; do
        with_cpu_seconds "$out" \
            ${python} -m espnet_uniwav.cli.uniwav tokenize "$data/$name/wav.scp" "$out/$name" \
            --tokenizer "$out/clusters"
    done
}

# iterate NUMBER CLASSES: train on the labels in $exp/labels_NUMBER, export.
iterate() {
    local labels=$exp/labels_$1 inputs=()
    expdir=$exp/iteration_$1
    log "iteration $1: ${expdir}/train.log"
    add_inputs train "$data/train" speech_shape wav.scp,speech,sound
    add_inputs valid "$data/dev" speech_shape wav.scp,speech,sound
    inputs+=(--train_data_path_and_name_and_type "$labels/train/codes_1,text,text_int"
        --valid_data_path_and_name_and_type "$labels/dev/codes_1,text,text_int")
    printf 'include: %s\nloss: [{name: masked_prediction, conf: {num_classes: %d}}]\n' \
        "$train_config" "$2" > "$labels/train.yaml"
    train_model ssl_train "$labels/train.yaml" --token_list "$data/token_list" \
        --model_conf bf16="${bf16:-$(has_bf16)}" --seed "$seed" "${inputs[@]}" ${train_args}
    export_model "$1"
}

if want 1; then
    label "$first" features "$num_classes" "$exp/labels_1"
    iterate 1 "$num_classes"
fi

if want 2; then
    label "$exp/iteration_1/checkpoint" "$layer" "$num_states" "$exp/labels_2"
    iterate 2 "$num_states"
fi
