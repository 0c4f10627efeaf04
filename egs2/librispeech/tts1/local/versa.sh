#!/usr/bin/env bash
# Write the tables that the VERSA stage of tts.sh reads, for the newest synthesised speech.
#   local/versa.sh EXP DATA OUT
# Writes OUT/wav_test.scp (recordings), OUT/text (words) and wav_test.scp beside the
# wav.scp of the synthesised speech; prints the tag of that inference.
set -euo pipefail
exp=$1
data=$2
out=$3
spoken=$(ls -t "$exp"/*/"$(basename "$data")"/wav/wav.scp 2> /dev/null | head -n 1)
if [ -z "$spoken" ]; then
    echo "local/versa.sh: no $exp/*/$(basename "$data")/wav/wav.scp: decode first" >&2
    exit 1
fi
mkdir -p "$out"
cp "$spoken" "$(dirname "$spoken")/wav_test.scp"
utils/filter_scp.pl "$spoken" "$data/references" | LC_ALL=C sort -k1 > "$out/wav_test.scp"
utils/filter_scp.pl "$spoken" "$data/words" | LC_ALL=C sort -k1 > "$out/text"
basename "$(dirname "$(dirname "$(dirname "$spoken")")")"
