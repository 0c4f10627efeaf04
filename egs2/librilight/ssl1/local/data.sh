#!/usr/bin/env bash
# Stage 1 of ssl.sh: writes data/train and data/dev, with segments, from the given folder.
set -euo pipefail
. ./path.sh
python3 local/librilight.py "$1" data
for name in train dev; do
    utils/utt2spk_to_spk2utt.pl "data/$name/utt2spk" > "data/$name/spk2utt"
done
