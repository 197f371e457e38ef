# fish completion for `git run`; part of git-run-tracker
# git's own completion asks for that of `git-run` after `git run`.

function __git_run_known
    git run --git-completion-helper 2>/dev/null | string split ' '
end

# The verb that was typed, which only the first word can be; `none` if that is something else, nothing before it.
function __git_run_verb
    set -l words (commandline -opc)
    set -q words[2]; or return
    if contains -- $words[2] (__git_run_known)
        echo $words[2]
    else
        echo none
    end
end

function __git_run_wants_verb
    test -z (__git_run_verb)
end

function __git_run_wants_run
    set -l verb (__git_run_verb)
    not contains -- "$verb" '' none run demo help install-docs gc doctor
end

function __git_run_starts
    set -l verb (__git_run_verb)
    contains -- "$verb" '' none run
end

function __git_run_options
    set -l verb (__git_run_verb)
    contains -- "$verb" '' none; and set verb run
    git run $verb --git-completion-helper 2>/dev/null | string split ' ' | string match -- '--*'
end

# The operation among the words that were typed; nothing if there is none yet.
function __git_run_operation
    set -l words (commandline -opc)
    set -l skip
    for word in $words[2..-1]
        if test -n "$skip"
            set skip
        else if string match -q -- '-*' $word
            contains -- "$word=" (__git_run_known); and set skip 1
        else if test $word != run; and not string match -q -- '*=*' $word
            echo $word
            return
        end
    end
end

function __git_run_flags
    set -l operation (__git_run_operation)
    test -n "$operation"; and git run --git-completion-helper-flags $operation 2>/dev/null
end

function __git_run_operations
    test -z (__git_run_operation); and git run --git-completion-helper-flags 2>/dev/null
end

function __git_run_ids
    git for-each-ref --format='%(refname:lstrip=2)' refs/runs/ 2>/dev/null | string sub --length 8
end

complete -c git-run -n __git_run_wants_verb -a '(__git_run_known | string match --invert -- "--*")' -d verb
complete -c git-run -f -n __git_run_wants_run -a '(__git_run_ids)' -d run
complete -c git-run -n __git_run_starts -a '(__git_run_operations)' -d operation
complete -c git-run -n __git_run_starts -a '(__git_run_flags)' -d flag
complete -c git-run -n 'string match -q -- "-*" (commandline -ct)' -a '(__git_run_options)'
complete -c git-run -x -n '__git_run_starts' -l restart -l start -a '(__git_run_ids)' -d 'another attempt of a run'
