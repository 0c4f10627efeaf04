# Read by ssl.sh: adds UniWav to Python's path.
UNIWAV_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export PYTHONPATH="${UNIWAV_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
export PATH="$PWD/utils:$PATH"
export PYTHONIOENCODING=UTF-8
export LC_ALL=C
