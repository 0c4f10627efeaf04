#!/usr/bin/env bash
# Recognise speech with a pre-trained UniWav. Stages:
#   1 corpus and data folders   2 tokens, alignments   3 training   4 decoding   5 scores
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=5
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # audio with texts; empty: the English Asterisk prompts
checkpoint=             # folder or name (`uniwav models`); empty: as the configuration says
asr_config=conf/train_asr_ctc.yaml
asr_args=               # more arguments of espnet2.bin.asr_train
inference_config=conf/decode_asr.yaml
inference_args=         # more arguments of espnet2.bin.asr_inference
inference_model=latest.pth   # the best by CER may be an early one with empty output
test_sets="dev test"
groups=                 # NAME=REGEX ... on the lines of wav.scp: scored separately
data_args=              # more arguments of espnet_uniwav.lab.corpora.prepare
match=                  # regular expression that an utterance id must contain
minutes=                # minutes of training speech with text; empty: all
bf16=                   # compute in bfloat16: true, false; empty: if that is faster
seed=0
data=data
exp=exp                 # folder of experiments
expdir=                 # this experiment; empty: named after the configuration

. ../stages.sh
. ./path.sh
train=train${minutes:+_${minutes}min}
[ -n "$expdir" ] ||
    expdir=$exp/$(basename "$asr_config" .yaml)${minutes:+_${minutes}min}_seed$seed

if want 1; then
    prepare_texts
fi

if want 2; then
    log "stage 2: characters of ${data}/train/text"
    ${python} -m espnet2.bin.tokenize_text --token_type char --field 2- \
        --input "$data/train/text" --output "$data/token_list" \
        --write_vocabulary true --add_symbol "<blank>:0" --add_symbol "<unk>:1" \
        --add_symbol "<sos/eos>:-1"
    log "stage 2: alignments of the training texts, for the warm-up of CTC"
    ${python} -m espnet_uniwav.cli.uniwav align "$data/train" "$data/alignment" --allow_failed
    ${python} local/frame_tokens.py "$data/train" "$data/alignment" \
        "$data/token_list" "$data/train/alignment"
fi

if want 2 && [ -n "$minutes" ]; then
    log "stage 2: ${minutes} minutes of ${data}/train"
    ${python} local/subset.py \
        "$data/train" "$data/$train" "$minutes"
fi

if want 3; then
    log "stage 3: training ${asr_config}; log: ${expdir}/train.log"
    inputs=()
    add_inputs train "$data/$train" speech_shape wav.scp,speech,sound text,text,text \
        alignment,alignment,text_int
    add_inputs valid "$data/dev" speech_shape wav.scp,speech,sound text,text,text
    train_model asr_train "$asr_config" \
        ${checkpoint:+--frontend_conf checkpoint="$checkpoint"} \
        --token_list "$data/token_list" --token_type char --seed "$seed" \
        --model_conf bf16="${bf16:-$(has_bf16)}" "${inputs[@]}" \
        --allow_variable_data_keys true ${asr_args}
fi

if want 4; then
    for name in ${test_sets}; do
        decode asr_inference "$name" \
            --data_path_and_name_and_type "$data/$name/wav.scp,speech,sound"
    done
fi

if want 5; then
    for name in ${test_sets}; do
        log "stage 5: scores of ${name}"
        group_args=()
        for group in ${groups}; do group_args+=(--group "$group"); done
        ${python} local/score.py "$data/$name/text" \
            "$(basename "$expdir")=$expdir/decode_$name/1best_recog/text" \
            --wav_scp "$data/$name/wav.scp" "${group_args[@]}" \
            --csv "$expdir/decode_$name/scores.csv"
    done
fi
