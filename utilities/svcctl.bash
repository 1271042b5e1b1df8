# Completion of svcctl for bash: the names of its commands and options, as it prints them itself.
#
# usage: source utilities/svcctl.bash

_svcctl () {
    local word=${COMP_WORDS[COMP_CWORD]} names=
    case $word in
        -*) names=$(svcctl --options | sed 's/=ARG$/=/; s/ ARG$//') ;;
        *) ! _svcctl_takes_command || names=$(svcctl --commands | cut -d, -f2) ;;
    esac
    COMPREPLY=($(compgen -W "$names" -- "$word"))
    case ${COMPREPLY-} in *=) compopt -o nospace 2> /dev/null ;; esac
}

# Whether the word to complete is where the name of a command stands.
_svcctl_takes_command () {
    local place word command= skip= options=
    for ((place = 1; place < COMP_CWORD; place++)); do
        word=${COMP_WORDS[place]}
        case $word in
            # bash takes --db=unix:FILE for five words.
            = | :) skip=yes; continue ;;
            --) command= skip=; continue ;;
        esac
        if test -n "$skip"; then
            skip=
            continue
        fi
        case $word in
            -*) options=${options:-$(svcctl --options)}
                case "
$options
" in
                    *"
$word=ARG
"* | *"
$word ARG
"*) skip=yes ;;
                esac ;;
            *) command=${command:-$word} ;;
        esac
    done
    test -z "$command" || test "$command" = help
}

complete -o default -F _svcctl svcctl
