# Read by asr.sh: adds UniWav to Python's path.
UNIWAV_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export PYTHONPATH="${UNIWAV_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
# sclite of the Debian package sctk is not in PATH.
export PATH="$PWD/utils:$PATH:/usr/lib/sctk/bin"
export PYTHONIOENCODING=UTF-8
export LC_ALL=C
