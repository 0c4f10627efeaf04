. "$(dirname "${BASH_SOURCE[0]}")/../../mini_speech/ssl1/path.sh"
