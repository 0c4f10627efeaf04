#!/usr/bin/env bash
# Link files of an ESPnet checkout (ESPNET_ROOT) that this recipe needs; nothing is copied.
set -euo pipefail
cd "$(dirname "$0")"
template=${ESPNET_ROOT:-}/egs2/TEMPLATE/asr1
if [ -z "${ESPNET_ROOT:-}" ] || [ ! -f "$template/asr.sh" ]; then
    echo "ESPNET_ROOT='${ESPNET_ROOT:-}' holds no egs2/TEMPLATE/asr1/asr.sh: set it to a" \
        "checkout of https://github.com/espnet/espnet (202509 or later)" >&2
    exit 2
fi
for name in asr.sh db.sh scripts pyscripts utils steps cmd.sh; do
    [ -e "$template/$name" ] && ln -sfn "$template/$name" "$name"
done
ln -sfn "$ESPNET_ROOT/egs2/librispeech/asr1/local" local
