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
layer=6                 # state of the semantic codebook; features: log-mel, the control;
                        # learned: groups of frames, by codewords learned with the decoder
num_codebooks=1         # 1024 codes at 50 Hz: 500 bit/s each
codebook_size=1024
codebooks=              # learned codes: numbers of codebooks to use ("4 2 1"), each scored; empty: all
cluster_args=           # more arguments of `uniwav cluster`
token_config=conf/tokenizer_tiny.yaml
train_args=             # more arguments of espnet2.bin.ssl_train
test_sets="dev test"
num_lines=              # lines to score, of every test set; empty: all
systems=                # more systems to score: NAME=FOLDER ...
num_workers=2           # processes that encode and decode
decode_args=            # more arguments of `uniwav detokenize`
score_args=             # more arguments of `uniwav score`
data_args=              # more arguments of espnet_uniwav.lab.corpora.prepare
match=                  # regular expression that an utterance id must contain
bf16=                   # compute in bfloat16: true, false; empty: if that is faster
seed=0
data=data
exp=exp                 # folder of experiments
expdir=                 # this experiment; empty: named after the configuration

. ../stages.sh
. ./path.sh
[ -n "$expdir" ] || expdir=$exp/layer${layer}_${num_codebooks}x${codebook_size}_seed$seed
start=$expdir/start
# codes_of SET [NUMBER]: what is decoded: codes; without codebooks (the control) the recordings.
codes_of() {
    if [ "$num_codebooks" -gt 0 ]; then echo "$expdir/codes/$1${2:+_$2}"
    else echo "$data/lines/$1/wav.scp"; fi
}

if want 1; then
    prepare_texts --test_share 0.15
fi

if want 2; then
    log "stage 2: ${checkpoint} -> ${start}"
    ${python} -m espnet_uniwav.cli.uniwav cluster "$checkpoint" "$data/train/wav.scp" \
        "$start" --layer "$layer" --num_codebooks "$num_codebooks" \
        --codebook_size "$codebook_size" --seed "$seed" ${cluster_args}
fi

if want 3; then
    log "stage 3: training ${token_config}; log: ${expdir}/train.log"
    mkdir -p "$expdir"
    printf '<blank>\n<unk>\n<sos/eos>\n' > "$expdir/token_list"
    inputs=()
    add_inputs train "$data/train" speech_shape wav.scp,speech,sound
    add_inputs valid "$data/dev" speech_shape wav.scp,speech,sound
    train_model ssl_train "$token_config" --token_list "$expdir/token_list" --seed "$seed" \
        --model_conf checkpoint="$start" \
        --model_conf bf16="${bf16:-$(has_bf16)}" "${inputs[@]}" ${train_args}
fi

if want 4; then
    export_model 4
fi

if want 5; then
    for name in ${test_sets}; do
        log "stage 5: ${expdir}/codes/${name}, ${expdir}/speech/${name}"
        ${python} -m espnet_uniwav.apps.tokenizer.pick_lines "$data/$name" "$data/lines/$name" \
            ${num_lines:+--num_lines "$num_lines"}
        for number in ${codebooks:-all}; do
            number=${number#all}
            if [ "$num_codebooks" -gt 0 ]; then
                ${python} -m espnet_uniwav.cli.uniwav tokenize "$data/lines/$name/wav.scp" \
                    "$(codes_of "$name" "$number")" --tokenizer "$expdir/checkpoint" \
                    ${number:+--num_codebooks "$number"} --num_workers "$num_workers"
            fi
            ${python} -m espnet_uniwav.cli.uniwav detokenize "$(codes_of "$name" "$number")" \
                "$expdir/speech/$name${number:+_$number}" \
                --tokenizer "$expdir/checkpoint" \
                --num_workers "$num_workers" ${decode_args}
        done
    done
fi

if want 6; then
    for name in ${test_sets}; do
        log "stage 6: ${expdir}/scores/${name}"
        spoken=()
        for number in ${codebooks:-all}; do
            number=${number#all}
            label=${number:+$number codebooks}
            spoken+=("${label:-from codes}=$expdir/speech/$name${number:+_$number}")
        done
        score "$data/lines/$name/lines.tsv" "$expdir/scores/$name" ${systems} \
            "${spoken[@]}" --title "Speech from codes"
    done
fi

if want 7; then
    for name in ${test_sets}; do
        log "stage 7: ${expdir}/voices/${name}"
        ${python} -m espnet_uniwav.cli.uniwav detokenize \
            "$(codes_of "$name" "${codebooks%% *}")" "$expdir/voices/$name" \
            --tokenizer "$expdir/checkpoint" --prompts "$data/lines/$name/voices.scp" \
            --num_workers "$num_workers" ${decode_args}
        score "$data/lines/$name/voices.tsv" "$expdir/scores/$name-voices" \
            "other voice=$expdir/voices/$name"
    done
fi
