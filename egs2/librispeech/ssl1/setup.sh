#!/usr/bin/env bash
# Link files of an ESPnet checkout (ESPNET_ROOT) that this recipe needs; nothing is copied.
set -euo pipefail
cd "$(dirname "$0")"
template=${ESPNET_ROOT:-}/egs2/TEMPLATE
if [ -z "${ESPNET_ROOT:-}" ] || [ ! -f "$template/ssl1/ssl.sh" ]; then
    echo "ESPNET_ROOT='${ESPNET_ROOT:-}' holds no egs2/TEMPLATE/ssl1/ssl.sh: set it to a" \
        "checkout of https://github.com/espnet/espnet (202509 or later)" >&2
    exit 2
fi
ln -sfn "$template/ssl1/ssl.sh" ssl.sh
for name in db.sh scripts pyscripts utils steps cmd.sh; do
    [ -e "$template/asr1/$name" ] && ln -sfn "$template/asr1/$name" "$name"
done
[ -e local ] || ln -sfn "$ESPNET_ROOT/egs2/librispeech/asr1/local" local
