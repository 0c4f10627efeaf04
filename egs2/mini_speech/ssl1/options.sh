# Sourced by run.sh after its defaults: --NAME VALUE sets $NAME; then stages and a log.
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
has_bf16() { grep -qsE "amx_bf16|avx512_bf16" /proc/cpuinfo && echo true || echo false; }
log() { echo "$(date '+%H:%M:%S') $*"; }
want() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
