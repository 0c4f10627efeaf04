#!/usr/bin/env bash
# Probe frozen upstreams with S3PRL's SUPERB tasks. Stages:
#   1 data in S3PRL's layout   2 downstream runs   3 table
set -euo pipefail
cd "$(dirname "$0")"

stage=1
stop_stage=3
python="python3 -m espnet_uniwav.run"
corpus=                 # audio with texts and speakers; or give --folders
folders=                # Kaldi-style folders train, dev, test; empty: from corpus
upstreams="fbank=fbank" # NAME=UPSTREAM or NAME=UPSTREAM:CHECKPOINT ...
tasks="pr asr sid asv"
lrs=                    # learning rates, chosen on dev; empty: from the conf files
seeds=0
steps=                  # updates; empty: from the conf files
keep_gib=4              # memory (GiB) to cache states of an upstream; 0: no cache
device=cpu
conf=conf
data=data
expdir=exp

. ../stages.sh
. ./path.sh

if want 1; then
    if [ -z "$folders" ]; then
        [ -n "$corpus" ] || { echo "$0: give --corpus DIR or --folders DIR" >&2; exit 2; }
        log "stage 1: ${corpus} -> ${data}/kaldi"
        ${python} -m espnet_uniwav.lab.corpora.prepare "$corpus" "$data/kaldi"
    fi
    log "stage 1: ${folders:=$data/kaldi} -> ${data}/{${tasks// /,}}"
    ${python} -m espnet_uniwav.lab.superb.layout "$folders" "$data" --tasks ${tasks}
fi

if want 2; then
    log "stage 2: ${upstreams}; logs: ${expdir}/TASK/UPSTREAM/RUN/harness.log"
    ${python} -m espnet_uniwav.lab.superb.sweep "$data" "$expdir" --upstreams ${upstreams} \
        --tasks ${tasks} --seeds ${seeds} ${lrs:+--lrs ${lrs}} ${steps:+--steps "$steps"} \
        --conf "$conf" --device "$device" --keep_gib "$keep_gib"
fi

if want 3; then
    log "stage 3: ${expdir}/table.md, ${expdir}/scores.csv, ${expdir}/runs.csv"
    ${python} -m espnet_uniwav.lab.superb.results_table "$data" "$expdir"
fi
