# Sourced by run.sh: prepares the shared corpus, and sets $corpus (its folder) and
# $options (arguments for the recipe of mini_speech, with full paths).
# Paths are relative to the folder of run.sh, configurations also to mini_speech's.
#   --librispeech DIR   LibriSpeech, or a corpus folder with a copy; else it is downloaded
#   --more "DIR ..."    more corpus folders
#   --all true          all data in the folder of a copy, not only LibriSpeech
. ./path.sh
librispeech=
more=
all=
stage=1
options=()
while [ $# -gt 0 ]; do
    if [ "${1#--}" = "$1" ] || [ $# -lt 2 ]; then
        echo "usage: $0 [--librispeech DIR] [--more 'DIR ...'] [--all true]" \
            "[--OPTION VALUE ...] as of $(realpath "../../mini_speech/${PWD##*/}/run.sh")" >&2
        exit 2
    fi
    value=$2
    case $1 in
        --librispeech | --more | --all) printf -v "${1#--}" '%s' "$value" ;;
        --checkpoint | --vocoder | --lines | --*_config)    # may be a name, or mini_speech's file
            [ ! -e "$value" ] || value=$(realpath "$value")
            options+=("$1" "$value") ;;
        --data | --exp | --expdir | --report)
            options+=("$1" "${value:+$(realpath -m "$value")}") ;;
        *)
            [ "$1" != --stage ] || stage=$value
            options+=("$1" "$value") ;;
    esac
    shift 2
done

# Other speech makes another corpus; the other recipes still use LibriSpeech.
other=$more$all
corpus=$(realpath -m ../data)/corpus${other:+_more}
sources=()
[ -z "$librispeech" ] || sources+=(--librispeech "$(realpath "$librispeech")")
[ -z "$all" ] || sources+=(--all)
[ -z "$more" ] || sources+=(--more ${more})
if [ "$stage" -le "${data_stage:-1}" ] &&
    { [ ${#sources[@]} -gt 0 ] || [ ! -f "$corpus/transcripts.tsv" ]; }; then
    python3 -m espnet_uniwav.data.librispeech "$corpus" --downloads ../downloads \
        "${sources[@]}"
fi
