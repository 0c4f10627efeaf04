#!/usr/bin/env bash
# Stage 1 of ssl.sh: data/train and data/dev, with segments, of the folder given.
set -euo pipefail
. ./path.sh
python3 local/librilight.py "$1" data
for name in train dev; do
    utils/utt2spk_to_spk2utt.pl "data/$name/utt2spk" > "data/$name/spk2utt"
done
