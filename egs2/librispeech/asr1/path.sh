# asr.sh reads this: where Python finds UniWav.
UNIWAV_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export PYTHONPATH="${UNIWAV_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
# sclite of the Debian package sctk is in no PATH.
export PATH="$PWD/utils:$PATH:/usr/lib/sctk/bin"
export PYTHONIOENCODING=UTF-8
export LC_ALL=C
