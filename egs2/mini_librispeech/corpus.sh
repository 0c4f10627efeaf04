# Sourced by run.sh: prepares the shared corpus, and sets $corpus (its folder) and
# $options (arguments for the recipe of mini_speech, with full paths).
# Paths are relative to the folder of run.sh, configurations also to mini_speech's.
#   --librispeech DIR   LibriSpeech, or a corpus folder with a copy; else it is downloaded
#   --more "DIR ..."    more corpus folders
#   --all true          all data in the folder of a copy, not only LibriSpeech
. ./path.sh
. ../../mini_speech/options.sh
librispeech=
more=
all=
read_options "librispeech more all" "$@"

# Other speech makes another corpus; the other recipes still use LibriSpeech.
other=$more$all
corpus=$(realpath -m ../data)/corpus${other:+_more}
sources=()
[ -z "$librispeech" ] || sources+=(--librispeech "$(realpath "$librispeech")")
[ -z "$all" ] || sources+=(--all)
[ -z "$more" ] || sources+=(--more ${more})
if [ "$stage" -le "${data_stage:-1}" ] &&
    { [ ${#sources[@]} -gt 0 ] || [ ! -f "$corpus/transcripts.tsv" ]; }; then
    python3 -m espnet_uniwav.lab.corpora.librispeech "$corpus" --downloads ../downloads \
        "${sources[@]}"
fi
