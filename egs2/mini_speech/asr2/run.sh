#!/usr/bin/env bash
# Recognise speech from its tokens alone, by ESPnet's stock discrete ASR. Stages:
#   1 corpus and data folders   2 tokens   3 training   4 decoding   5 scores
#   6 a language model of the tokens: bits per second
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=6
ngpu=0
python="python3 -m espnet_uniwav.run"
corpus=                 # audio with texts; empty: the English Asterisk prompts
tokenizer=tokens        # folder or name of a tokenizer; its first codebook is read
asr_config=conf/train_discrete_asr.yaml
asr_args=               # more arguments of espnet2.bin.mt_train
lm_config=conf/train_lm.yaml
lm_args=                # more arguments of espnet2.bin.lm_train
inference_config=../asr1/conf/decode_asr.yaml
inference_args=         # more arguments of espnet2.bin.mt_inference
inference_model=latest.pth
test_sets="dev test"
data_args=              # more arguments of espnet_uniwav.lab.corpora.prepare
match=                  # regular expression that an utterance id must contain
num_workers=2           # processes that encode
seed=0
data=data
exp=exp                 # folder of experiments
expdir=                 # this experiment; empty: named after tokenizer and configuration

. ../stages.sh
. ./path.sh
[ -n "$expdir" ] ||
    expdir=$exp/$(basename "$tokenizer")_$(basename "$asr_config" .yaml)_seed$seed
symbols=(--add_symbol "<blank>:0" --add_symbol "<unk>:1" --add_symbol "<sos/eos>:-1")

if want 1; then
    prepare_texts
fi

if want 2; then
    for name in train dev ${test_sets}; do
        log "stage 2: ${expdir}/codes/${name}"
        ${python} -m espnet_uniwav.cli.uniwav tokenize "$data/$name/wav.scp" \
            "$expdir/codes/$name" --tokenizer "$tokenizer" --num_workers "$num_workers"
    done
    ${python} -m espnet2.bin.tokenize_text --token_type word --field 2- \
        --input "$expdir/codes/train/codes_1" --output "$expdir/src_token_list" \
        --write_vocabulary true "${symbols[@]}"
    ${python} -m espnet2.bin.tokenize_text --token_type char --field 2- \
        --input "$data/train/text" --output "$expdir/token_list" \
        --write_vocabulary true "${symbols[@]}"
fi

if want 3; then
    log "stage 3: training ${asr_config}; log: ${expdir}/train.log"
    inputs=()
    for split in train valid; do
        name=${split/valid/dev}
        add_inputs "$split" "$data/$name" speech_shape text,text,text
        inputs+=("--${split}_data_path_and_name_and_type"
            "$expdir/codes/$name/codes_1,src_text,text")
    done
    train_model mt_train "$asr_config" \
        --src_token_list "$expdir/src_token_list" --src_token_type word \
        --token_list "$expdir/token_list" --token_type char \
        --seed "$seed" "${inputs[@]}" ${asr_args}
fi

if want 4; then
    for name in ${test_sets}; do
        decode mt_inference "$name" --ngram_weight 0 \
            --data_path_and_name_and_type "$expdir/codes/$name/codes_1,src_text,text"
    done
fi

if want 5; then
    for name in ${test_sets}; do
        log "stage 5: scores of ${name}"
        ${python} ../asr1/local/score.py "$data/$name/text" \
            "$(basename "$expdir")=$expdir/decode_$name/1best_recog/text" \
            --wav_scp "$data/$name/wav.scp" --csv "$expdir/decode_$name/scores.csv"
    done
fi

if want 6; then
    log "stage 6: training ${lm_config}; log: ${expdir}/lm/train.log"
    codes=$expdir/codes inputs=()
    for split in train valid; do
        name=${split/valid/dev}
        awk '{ print $1, NF - 1 }' "$codes/$name/codes_1" > "$codes/$name/shape"
        add_inputs "$split" "$codes/$name" shape codes_1,text,text
    done
    asr=$expdir expdir=$expdir/lm
    mkdir -p "$expdir"
    train_model lm_train "$lm_config" --token_list "$asr/src_token_list" \
        --token_type word --fold_length 1000 --seed "$seed" "${inputs[@]}" ${lm_args}
    for name in ${test_sets}; do
        ${python} -m espnet2.bin.lm_calc_perplexity --output_dir "$expdir/$name" \
            --data_path_and_name_and_type "$codes/$name/codes_1,text,text" \
            --train_config "$expdir/config.yaml" --model_file "$expdir/latest.pth" \
            > "$expdir/$name.log" 2>&1 || { tail -n 20 "$expdir/$name.log" >&2; exit 1; }
        awk -v perplexity="$(head -n 1 "$expdir/$name/ppl")" -v set="$name" '
            NR == FNR { tokens += $2; next }
            { split($2, shape, ","); seconds += shape[1] / 16000 }
            END {
                bits = log(perplexity) / log(2)
                printf "%s: perplexity %.1f, %.2f bits a code, %.1f bits a second\n",
                    set, perplexity, bits, bits * tokens / seconds
            }' "$expdir/$name/utt2ntokens" "$data/$name/speech_shape"
    done
fi
