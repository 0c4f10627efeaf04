# Sourced by recipes on other corpora, in the folder of their run.sh, which then call the recipe of
# the same name here.

# read_options "OWN ..." [--OPTION VALUE ...]: sets variables of the names OWN and $stage, and
# adds all other options to the array $options, with full paths. Paths are relative to the current
# folder; what is no file there may be a name, or a configuration of the recipe here.
stage=1
options=()
read_options() {
    local own=" $1 " value
    shift
    while [ $# -gt 0 ]; do
        if [ "${1#--}" = "$1" ] || [ $# -lt 2 ]; then
            echo "usage: $0 $(printf '[--%s VALUE] ' ${own})[--OPTION VALUE ...] as of" \
                "$(realpath "../../mini_speech/${PWD##*/}/run.sh")" >&2
            exit 2
        fi
        value=$2
        case $1 in
            --corpus | --checkpoint | --tokenizer | --vocoder | --lines | --*_config)
                [ ! -e "$value" ] || value=$(realpath "$value") ;;
            --data | --exp | --expdir | --student | --report)
                value=${value:+$(realpath -m "$value")} ;;
            --stage) stage=$value ;;
        esac
        if [[ $own = *" ${1#--} "* ]]; then
            printf -v "${1#--}" '%s' "$value"
        else
            options+=("$1" "$value")
        fi
        shift 2
    done
}
