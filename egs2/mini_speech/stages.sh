# Sourced by run.sh after its defaults: --NAME VALUE sets $NAME. Then what the stages of
# several recipes have in common, as functions.
while [ $# -gt 0 ]; do
    name=${1#--}
    if [ "$1" = "$name" ] || ! declare -p "$name" >/dev/null 2>&1 || [ $# -lt 2 ]; then
        echo "usage: $0 [--OPTION VALUE ...], options:" >&2
        sed -n '/^stage=/,/^$/p' "$0" >&2
        exit 2
    fi
    printf -v "$name" '%s' "$2"
    shift 2
done
# has_bf16 [CPUINFO]: whether bfloat16 is faster than fp32 (AVX512-BF16 alone: not on Intel).
has_bf16() {
    local cpu=${1:-/proc/cpuinfo}
    if grep -qs amx_bf16 "$cpu" || { grep -qs AuthenticAMD "$cpu" && grep -qs avx512_bf16 "$cpu"; }; then
        echo true
    else
        echo false
    fi
}
log() { echo "$(date '+%H:%M:%S') $*"; }
want() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
shared=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# fetch_corpus [OPTION ...]: the default corpus; options of espnet_uniwav.lab.corpora.asterisk.
fetch_corpus() {
    corpus=downloads/asterisk
    ${python} -m espnet_uniwav.lab.corpora.asterisk "$corpus" "$@"
}

# prepare_texts [OPTION ...]: stage 1, data folders of the utterances with a clean text: of
# $corpus, or of the English part of the default one, with these options of fetch_corpus.
prepare_texts() {
    log "stage 1: ${corpus:-Asterisk core sounds} -> ${data}"
    if [ -z "$corpus" ]; then
        : "${match:=-en-}"
        fetch_corpus "$@"
    fi
    ${python} -m espnet_uniwav.lab.corpora.prepare "$corpus" "$data/all" ${data_args}
    ${python} -m espnet_uniwav.lab.corpora.texts "$data/all" "$data" "--match=$match"
}

# write_config CONF: CONF with what it includes, in $expdir; prints its path.
write_config() {
    mkdir -p "$expdir"
    local conf
    conf=$expdir/$(basename "$1")
    ${python} -m espnet_uniwav.cli.uniwav config "$1" > "$conf" && echo "$conf"
}

# add_inputs train|valid FOLDER SHAPE_FILE FILE,NAME,TYPE ...: adds what train_model
# reads to the array inputs.
add_inputs() {
    local split=$1 folder=$2 shape=$3 file
    shift 3
    for file in "$@"; do
        inputs+=("--${split}_data_path_and_name_and_type" "$folder/$file")
    done
    inputs+=("--${split}_shape_file" "$folder/$shape")
}

# with_cpu_seconds FOLDER COMMAND ...: adds a line to FOLDER/cpu_seconds, when COMMAND ended and
# its CPU seconds (of the user and of the system), see ../mini_librispeech/ssl1/local/cost.py.
with_cpu_seconds() {
    local folder=$1 status=0 TIMEFORMAT='%U %S'
    shift
    { time "$@" 2>&3; } 3>&2 2> "$folder/.cpu_seconds" || status=$?
    # before the seconds, bash may say that the command was killed; some locales write a decimal comma
    echo "$(date +%s) $(tail -n 1 "$folder/.cpu_seconds" | tr , .)" >> "$folder/cpu_seconds"
    rm "$folder/.cpu_seconds"
    return "$status"
}

# train_model PROGRAM CONF [OPTION ...]: espnet2.bin.PROGRAM in $expdir, which goes on where it
# stopped.
train_model() {
    local program=$1 conf multi
    conf=$(write_config "$2")
    shift 2
    multi=$([ "$ngpu" -gt 1 ] && echo true || echo false)
    with_cpu_seconds "$expdir" \
        ${python} -m "espnet2.bin.$program" --config "$conf" --output_dir "$expdir" \
        --resume true --ngpu "$ngpu" --multiprocessing_distributed "$multi" "$@" \
        2>&1 | tee -a "$expdir/train.log" | python3 "$shared/progress.py"
}

# export_model STAGE: the checkpoint of $expdir.
export_model() {
    log "stage $1: ${expdir} -> ${expdir}/checkpoint"
    ${python} -m espnet_uniwav.cli.uniwav export "$expdir" "$expdir/checkpoint"
}

# decode PROGRAM SET [OPTION ...]: espnet2.bin.PROGRAM with the model of $expdir; writes
# $expdir/decode_SET.
decode() {
    local program=$1 kind=${1%_inference} out=$expdir/decode_$2
    log "stage 4: decoding $2; log: ${out}/decode.log"
    shift 2
    mkdir -p "$out"
    ${python} -m "espnet2.bin.$program" --config "$inference_config" \
        --output_dir "$out" --ngpu "$ngpu" "--${kind}_train_config" "$expdir/config.yaml" \
        "--${kind}_model_file" "$expdir/$inference_model" "$@" ${inference_args} \
        > "$out/decode.log" 2>&1 || { tail -n 20 "$out/decode.log" >&2; exit 1; }
}

# score TABLE OUT [NAME=FOLDER ...] [OPTION ...]: scores of generated speech, which keep
# what was heard already.
score() {
    local table=$1 out=$2
    shift 2
    mkdir -p "$expdir/scores"
    ${python} -m espnet_uniwav.cli.uniwav score "$table" "$@" --output "$out" \
        --cache "$expdir/scores/cache.json" ${score_args}
}
