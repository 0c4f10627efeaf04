#!/usr/bin/env bash
# Speech tokens of a pre-trained UniWav. Stages:
#   1 corpus and data folders   2 codebooks   3 training   4 export
#   5 codes and speech   6 scores   7 other voices
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=6
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # audio with texts; empty: the English Asterisk prompts
checkpoint=             # folder or name (`uniwav models`)
layer=6                 # state of the semantic codebook; features: log-mel, the control
num_codebooks=1         # 1024 codes at 50 Hz: 500 bit/s each
codebook_size=1024
cluster_args=           # more arguments of `uniwav cluster`
token_config=conf/tokenizer_tiny.yaml
train_args=             # more arguments of espnet2.bin.ssl_train
test_sets="dev test"
num_lines=              # lines to score, of every test set; empty: all
systems=                # more systems to score: NAME=FOLDER ...
num_workers=2           # processes that encode and decode
decode_args=            # more arguments of `uniwav detokenize`
score_args=             # more arguments of `uniwav score`
match=                  # regular expression that an utterance id must contain
bf16=                   # compute in bfloat16: true, false; empty: if the CPU supports it
seed=0
data=data
exp=exp                 # folder of experiments
expdir=                 # this experiment; empty: named after the configuration

. ../ssl1/options.sh
. ./path.sh
[ -n "$expdir" ] || expdir=$exp/layer${layer}_${num_codebooks}x${codebook_size}_seed$seed
# Input of the decoder: codes; without codebooks (the control) the recordings.
codes_of() {
    if [ "$num_codebooks" -gt 0 ]; then echo "$expdir/codes/$1"
    else echo "$data/lines/$1/wav.scp"; fi
}

if want 1; then
    log "stage 1: ${corpus:-Asterisk core sounds} -> ${data}"
    if [ -z "$corpus" ]; then
        corpus=downloads/asterisk
        : "${match:=-en-}"
        ${python} -m espnet_uniwav.data.asterisk "$corpus" --test_share 0.15
    fi
    ${python} -m espnet_uniwav.data.prepare "$corpus" "$data/all"
    ${python} -m espnet_uniwav.data.texts "$data/all" "$data" "--match=$match"
fi

if want 2; then
    log "stage 2: ${checkpoint} -> ${expdir}/start"
    ${python} -m espnet_uniwav.bin.cluster "$checkpoint" "$data/train/wav.scp" \
        "$expdir/start" --layer "$layer" --num_codebooks "$num_codebooks" \
        --codebook_size "$codebook_size" --seed "$seed" ${cluster_args}
fi

if want 3; then
    log "stage 3: training ${token_config}; log: ${expdir}/train.log"
    conf=$expdir/$(basename "$token_config")
    multi=$([ "$ngpu" -gt 1 ] && echo true || echo false)
    ${python} -m espnet_uniwav.bin.config "$token_config" > "$conf"
    printf '<blank>\n<unk>\n<sos/eos>\n' > "$expdir/token_list"
    inputs=()
    for name in train dev; do
        option=--${name/dev/valid}
        inputs+=("${option}_data_path_and_name_and_type"
            "$data/$name/wav.scp,speech,sound")
        inputs+=("${option}_shape_file" "$data/$name/speech_shape")
    done
    ${python} -m espnet2.bin.ssl_train --config "$conf" --output_dir "$expdir" \
        --token_list "$expdir/token_list" --resume true --seed "$seed" \
        --ngpu "$ngpu" --multiprocessing_distributed "$multi" \
        --model_conf checkpoint="$expdir/start" \
        --model_conf bf16="${bf16:-$(has_bf16)}" "${inputs[@]}" ${train_args} \
        2>&1 | tee -a "$expdir/train.log" | python3 ../ssl1/local/progress.py
fi

if want 4; then
    log "stage 4: ${expdir} -> ${expdir}/checkpoint"
    ${python} -m espnet_uniwav.bin.export "$expdir" "$expdir/checkpoint"
fi

if want 5; then
    for name in ${test_sets}; do
        log "stage 5: ${expdir}/codes/${name}, ${expdir}/speech/${name}"
        ${python} -m espnet_uniwav.tokenizer.pick_lines "$data/$name" "$data/lines/$name" \
            ${num_lines:+--num_lines "$num_lines"}
        if [ "$num_codebooks" -gt 0 ]; then
            ${python} -m espnet_uniwav.bin.tokenize "$data/lines/$name/wav.scp" \
                "$expdir/codes/$name" --tokenizer "$expdir/checkpoint" \
                --num_workers "$num_workers"
        fi
        ${python} -m espnet_uniwav.bin.detokenize "$(codes_of "$name")" \
            "$expdir/speech/$name" --tokenizer "$expdir/checkpoint" \
            --num_workers "$num_workers" ${decode_args}
    done
fi

if want 6; then
    for name in ${test_sets}; do
        log "stage 6: ${expdir}/scores/${name}"
        ${python} -m espnet_uniwav.bin.score "$data/lines/$name/lines.tsv" \
            ${systems} "from codes=$expdir/speech/$name" \
            --output "$expdir/scores/$name" --title "Speech from codes" \
            --cache "$expdir/scores/cache.json" ${score_args}
    done
fi

if want 7; then
    for name in ${test_sets}; do
        log "stage 7: ${expdir}/voices/${name}"
        ${python} -m espnet_uniwav.bin.detokenize "$(codes_of "$name")" \
            "$expdir/voices/$name" --tokenizer "$expdir/checkpoint" \
            --prompts "$data/lines/$name/voices.scp" \
            --num_workers "$num_workers" ${decode_args}
        ${python} -m espnet_uniwav.bin.score "$data/lines/$name/voices.tsv" \
            "other voice=$expdir/voices/$name" \
            --output "$expdir/scores/$name-voices" \
            --cache "$expdir/scores/cache.json" ${score_args}
    done
fi
