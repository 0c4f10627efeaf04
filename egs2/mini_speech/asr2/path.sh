. "$(dirname "${BASH_SOURCE[0]}")/../ssl1/path.sh"
