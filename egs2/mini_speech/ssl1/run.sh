#!/usr/bin/env bash
# Pre-train UniWav and write a report. Stages:
#   1 corpus   2 data folders   3 training   4 export   5 analysis of the layers
#   6 speech   7 report   8 infilling scores
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=7
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # folder of audio or Kaldi data folder; empty: Asterisk prompts
train_config=conf/train_tiny.yaml
train_args=             # more arguments of espnet2.bin.ssl_train
bf16=                   # compute in bfloat16: true, false; empty: if that is faster
data=data
exp=exp                 # folder of experiments
expdir=                 # this experiment; empty: named after the configuration
report=report/index.html
num_utterances=4        # utterances on the report page
infill_args="--method euler --num_steps 4 --temperature 0"
align_args="--num_utterances 600"   # more arguments of `uniwav align`
understand_args="--num_utterances 300"  # more arguments of `uniwav understand`
tts_config=conf/tuning/train_tts_10min.yaml     # configuration of ../tts1; empty: no synthesis
tts_args="--num_lines 12"   # more options of ../tts1/run.sh
prompts=                # prompts of ../tts1; empty: test set; default corpus: train
english=                # regular expression: ids of English utterances, which have phones
score_args=             # more arguments of local/score_infill.py

. ../stages.sh
. ./path.sh
[ -n "$expdir" ] || expdir=$exp/$(basename "$train_config" .yaml)

[ -n "$corpus" ] || : "${english:=-en-}" "${prompts:=train}"
if want 1 && [ -z "$corpus" ]; then
    log "stage 1: the default corpus (Asterisk core sounds)"
    fetch_corpus
fi
: "${corpus:=downloads/asterisk}"

if want 2; then
    log "stage 2: ${corpus} -> ${data}"
    ${python} -m espnet_uniwav.lab.corpora.prepare "$corpus" "$data"
fi

if want 3; then
    log "stage 3: training ${train_config}; log: ${expdir}/train.log"
    inputs=()
    add_inputs train "$data/train" speech_shape wav.scp,speech,sound
    add_inputs valid "$data/dev" speech_shape wav.scp,speech,sound
    train_model ssl_train "$train_config" --token_list "$data/token_list" \
        --model_conf bf16="${bf16:-$(has_bf16)}" "${inputs[@]}" ${train_args}
fi

if want 4; then
    export_model 4
fi

texts=$data/texts
understanding=$expdir/understanding
if want 5; then
    log "stage 5: ${understanding}"
    options=(--data "$data/test")
    if ${python} -m espnet_uniwav.lab.corpora.texts "$data" "$texts" "--match=$english"; then
        for name in train dev test; do
            ${python} -m espnet_uniwav.cli.uniwav align "$texts/$name" \
                "$texts/alignment/$name" --allow_failed ${align_args}
        done
        options+=(--fit_data "$texts/train")
        options+=(--alignment "$texts/alignment/train" "$texts/alignment/test")
    fi
    ${python} -m espnet_uniwav.cli.uniwav understand --checkpoint "$expdir/checkpoint" \
        "${options[@]}" --output "$understanding" ${understand_args}
fi

speech=$expdir/speech
no_speech=
if want 6 && [ -n "$tts_config" ] && [ -d "$texts/alignment" ]; then
    log "stage 6: ${speech}"
    ../tts1/run.sh --stage 3 --data "$(realpath "$texts")" --test_sets test \
        --checkpoint "$(realpath "$expdir/checkpoint")" --tts_config "$tts_config" \
        --expdir "$(realpath -m "$speech")" --ngpu "$ngpu" --bf16 "$bf16" \
        --prompts "$prompts" ${tts_args} || no_speech=true
fi

if want 7; then
    log "stage 7: ${report}"
    scores=$speech/scores/test
    ${python} -m espnet_uniwav.cli.uniwav report --exp "$expdir" \
        --checkpoint "$expdir/checkpoint" --wav_scp "$data/test/wav.scp" \
        --corpus "$corpus" --num_utterances "$num_utterances" --output "$report" \
        --understanding "$understanding" ${infill_args} \
        $([ -f "$scores/sections.json" ] && echo --speech "$scores")
fi

if want 8; then
    log "stage 8: infilling of ${data}/dev"
    ${python} local/score_infill.py --checkpoint "$expdir/checkpoint" \
        --data "$data/dev" --output "$expdir/infilling.csv" ${infill_args} ${score_args}
fi

if [ -n "$no_speech" ]; then
    log "stage 6 failed, see above: the report is without speech"
    exit 1
fi
