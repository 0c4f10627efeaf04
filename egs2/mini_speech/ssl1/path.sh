# Where Python finds UniWav, and how many cores it may use.
UNIWAV_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export PYTHONPATH="${UNIWAV_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
# A waiting thread sleeps: busy machines stay usable, quiet ones lose nothing.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
export PYTHONIOENCODING=UTF-8
