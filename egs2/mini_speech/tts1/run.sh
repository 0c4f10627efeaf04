#!/usr/bin/env bash
# Synthesise speech with a pre-trained UniWav. Stages:
#   1 corpus and data folders   2 alignments   3 phones, durations, lines to synthesise
#   4 training   5 synthesis   6 scores   7 scores of other sampling settings
#   8 distillation to two steps   9 scores of the student
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=6
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # audio with texts; empty: the English Asterisk prompts
checkpoint=             # folder or name (`uniwav models`); empty: as the configuration says
tts_config=conf/train_tts.yaml
tts_args=               # more arguments of espnet2.bin.tts_train
distil_config=conf/distil_tts.yaml
distil_args=            # more arguments of espnet2.bin.tts_train in the distillation
model=valid.loss.best.pth
test_sets="dev test"
num_lines=              # lines to synthesise, of every test set; empty: all
prompts=                # data folder of the prompts, such as train; empty: test set, but
                        # train of the Asterisk prompts
vocoder=                # checkpoint or name; none: Griffin-Lim; empty: that of the package
speak_args=             # more arguments of `uniwav tts`
samplers="euler-2-0.7-0.4 euler-4-0.7-0.4 euler-8-0.7-0.4 euler-16-0.7-0.4
    euler-32-0.7-0.4 midpoint-4-0.7-0.4 heun-4-0.7-0.4 euler-8-0-0.4 euler-8-1.5-0.4
    euler-8-0.7-0 euler-8-0.7-0.7 euler-8-0.7-1"  # METHOD-STEPS-GUIDANCE-TEMPERATURE ...
score_args=             # more arguments of `uniwav score`
data_args=              # more arguments of espnet_uniwav.lab.corpora.prepare
match=                  # regular expression that an utterance id must contain
frame_rate=50           # Hz, of the checkpoint's features
bf16=                   # compute in bfloat16: true, false; empty: if that is faster
seed=0
data=data
exp=exp                 # folder of experiments
expdir=                 # this experiment; empty: named after the configuration
student=                # experiment of the student; empty: named after this experiment

. ../stages.sh
. ./path.sh
[ -n "$expdir" ] || expdir=$exp/$(basename "$tts_config" .yaml)_seed$seed
[ -n "$corpus" ] || : "${prompts:=train}"
[ -n "$student" ] || student=${expdir}_$(basename "$distil_config" .yaml)

# train CONF EXPERIMENT [OPTION ...]: espnet2.bin.tts_train, on the data of stage 3.
train() {
    local conf=$1 expdir=$2 inputs=()
    local files=(phones,text,text durations,durations,text_int wav.scp,speech,sound)
    shift 2
    add_inputs train "$data/train" phones_shape "${files[@]}"
    add_inputs valid "$data/dev" phones_shape "${files[@]}"
    train_model tts_train "$conf" --tts_conf bf16="${bf16:-$(has_bf16)}" \
        --token_list "$data/token_list" --seed "$seed" "${inputs[@]}" "$@"
}

# speak MODEL LINES OUT [OPTION ...]: a table of lines in $data/lines.
speak() {
    ${python} -m espnet_uniwav.cli.uniwav tts --model "$1" --lines "$data/lines/$2" \
        --output "$3" ${vocoder:+--vocoder "$vocoder"} "${@:4}" ${speak_args}
}

if want 1; then
    prepare_texts --test_share 0.15
fi

if want 2; then
    for name in train dev test; do
        log "stage 2: ${data}/${name} -> ${data}/alignment/${name}"
        ${python} -m espnet_uniwav.cli.uniwav align "$data/$name" "$data/alignment/$name" \
            --allow_failed
    done
fi

if want 3; then
    log "stage 3: phones and durations of ${data}, ${data}/lines"
    for name in dev test train; do
        ${python} -m espnet_uniwav.lab.align.write_durations "$data/$name" "$data/alignment/$name" \
            --frame_rate "$frame_rate" --token_list "$data/token_list"
    done
    for name in ${test_sets}; do
        ${python} -m espnet_uniwav.apps.tts.pick_lines "$data/$name" "$data/alignment/$name" \
            "$data/lines/$name" ${num_lines:+--num_lines "$num_lines"} \
            ${prompts:+--prompts "$data/$prompts" "$data/alignment/$prompts"}
    done
fi

if want 4; then
    log "stage 4: training ${tts_config}; log: ${expdir}/train.log"
    train "$tts_config" "$expdir" ${checkpoint:+--tts_conf checkpoint="$checkpoint"} \
        ${tts_args}
fi

if want 5; then
    for name in ${test_sets}; do
        for kind in aligned predicted; do
            log "stage 5: ${expdir}/speech/${name}/${kind}"
            speak "$expdir/$model" "$name/$kind.tsv" "$expdir/speech/$name/$kind"
        done
    done
fi

if want 6; then
    for name in ${test_sets}; do
        log "stage 6: ${expdir}/scores/${name}"
        score "$data/lines/$name/aligned.tsv" "$expdir/scores/$name" \
            "durations of the recording=$expdir/speech/$name/aligned" \
            "predicted durations=$expdir/speech/$name/predicted" \
            --frame_rate "$frame_rate" ${vocoder:+--vocoder "$vocoder"}
    done
fi

if want 7; then
    for name in ${test_sets}; do
        systems=()
        for sampler in ${samplers}; do
            log "stage 7: ${expdir}/speech/${name}/${sampler}"
            IFS=- read -r method steps guidance temperature <<< "$sampler"
            speak "$expdir/$model" "$name/aligned.tsv" "$expdir/speech/$name/$sampler" \
                --method "$method" --num_steps "$steps" --guidance_scale "$guidance" \
                --temperature "$temperature"
            systems+=("$sampler=$expdir/speech/$name/$sampler")
        done
        score "$data/lines/$name/aligned.tsv" "$expdir/scores/$name-samplers" \
            "${systems[@]}" --frame_rate "$frame_rate" ${vocoder:+--vocoder "$vocoder"}
    done
fi

if want 8; then
    log "stage 8: distillation of ${expdir}; log: ${student}/train.log"
    train "$distil_config" "$student" --tts_conf distil.teacher="$expdir/$model" ${distil_args}
fi

if want 9; then
    for name in ${test_sets}; do
        for kind in aligned predicted; do
            log "stage 9: ${student}/speech/${name}/${kind}"
            speak "$student/$model" "$name/$kind.tsv" "$student/speech/$name/$kind"
            two=$student/speech/$name/$kind-teacher_in_two
            speak "$expdir/$model" "$name/$kind.tsv" "$two" --num_steps 2 --guidance_scale 0
            log "stage 9: ${student}/scores/${name}/${kind}"
            score "$data/lines/$name/aligned.tsv" "$student/scores/$name/$kind" \
                "teacher, 16 evaluations=$expdir/speech/$name/$kind" \
                "teacher, 2 evaluations=$two" \
                "student, 2 evaluations=$student/speech/$name/$kind" \
                --frame_rate "$frame_rate" ${vocoder:+--vocoder "$vocoder"}
        done
    done
fi
