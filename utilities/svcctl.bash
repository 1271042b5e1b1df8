# Completion of svcctl for bash: the names of its commands and options, as it prints them itself.
#
# usage: source utilities/svcctl.bash

_svcctl () {
    local word=${COMP_WORDS[COMP_CWORD]} names
    case $word in
        -*) names=$(svcctl --options | sed 's/=ARG$/=/; s/ ARG$//') ;;
        *) names=$(svcctl --commands | cut -d, -f2) ;;
    esac
    COMPREPLY=($(compgen -W "$names" -- "$word"))
    case ${COMPREPLY-} in *=) compopt -o nospace 2> /dev/null ;; esac
}

complete -o default -F _svcctl svcctl
