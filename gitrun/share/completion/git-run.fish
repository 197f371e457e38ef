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
    contains -- "$verb" '' none run demo help install-docs gc doctor notes import ops stop watch restore purge hooks; and return 1
    contains -- "$verb" label tag plot; and test -z (__git_run_behind); and return 1
    return 0
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
        else if test $word != run; and not string match -qr -- '^@|=' $word
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

# The first word behind the verb that is no option; nothing if there is none yet.
function __git_run_behind
    string match --invert -- '-*' (commandline -opc)[3..-1] | head -n 1
end

# Words of a kind that the runs of this repository have, with what each is.
function __git_run_offered
    git run --git-completion-helper-values $argv 2>/dev/null
end

function __git_run_heads
    git for-each-ref --format='%(refname:lstrip=2)' refs/heads/ 2>/dev/null
end

function __git_run_commits
    git for-each-ref --format='%(refname:lstrip=2)' refs/heads/ refs/tags/ 2>/dev/null
end

# The run of which another attempt is asked for; nothing if none is.
function __git_run_again
    set -l words (commandline -opc)
    for at in (seq 2 (count $words))
        switch $words[$at]
            case --restart --start
                echo $words[(math $at + 1)] 2>/dev/null
            case '--restart=*' '--start=*'
                string split --max 1 --fields 2 = -- $words[$at]
        end
    end
end

# Whether one of these verbs was typed.
function __git_run_is
    contains -- (__git_run_verb) $argv
end

function __git_run_ids
    git for-each-ref --format='%(refname:lstrip=2)' refs/runs/ 2>/dev/null | string sub --length 8
end

complete -c git-run -n __git_run_wants_verb -a '(__git_run_known | string match --invert -- "--*")' -d verb
complete -c git-run -f -n __git_run_wants_run -a '(__git_run_ids)' -d run
complete -c git-run -n __git_run_starts -a '(__git_run_operations)' -d operation
complete -c git-run -n __git_run_starts -a '(__git_run_flags)' -d flag
complete -c git-run -n 'string match -q -- "-*" (commandline -ct)' -a '(__git_run_options)'
complete -c git-run -x -n '__git_run_starts' -l restart -l start -k -a '(__git_run_offered runs)' -d 'another attempt of a run'
complete -c git-run -f -n '__git_run_starts; and test -n (__git_run_again)' -a '(__git_run_offered flags (__git_run_again))'
complete -c git-run -f -n '__git_run_is stop watch' -a '(__git_run_offered running)'
complete -c git-run -f -n '__git_run_is restore purge' -a '(__git_run_offered deleted)'
complete -c git-run -f -n '__git_run_is help' -a '(git run help --git-completion-helper 2>/dev/null | string split " ")'
complete -c git-run -f -n '__git_run_is hooks' -a 'status install uninstall prepare-commit-msg commit-msg post-commit pre-push pre-receive'
complete -c git-run -f -n '__git_run_is label; and test -z (__git_run_behind)'
complete -c git-run -f -n '__git_run_is tag; and test -z (__git_run_behind)' -a '(__git_run_offered tags)'
complete -c git-run -f -n '__git_run_is plot; and test -z (__git_run_behind)' -a '(__git_run_offered metrics)'
complete -c git-run -f -n '__git_run_is push fetch pull; and test -z (__git_run_behind)' -a '(git remote 2>/dev/null)' -d remote
complete -c git-run -n '__git_run_is ops' -a '(git run --git-completion-helper-flags 2>/dev/null)' -d operation
complete -c git-run -x -n 'not __git_run_starts' -l status -a 'completed error terminated pruned running staged pending'
complete -c git-run -x -n 'not __git_run_starts' -l op -a '(__git_run_offered operations)'
complete -c git-run -x -n 'not __git_run_starts' -l label -a '(__git_run_offered labels)'
complete -c git-run -x -n 'not __git_run_starts' -l tag -a '(__git_run_offered tags)'
complete -c git-run -x -n 'not __git_run_starts' -l branch -a '(__git_run_heads)'
complete -c git-run -x -n 'not __git_run_starts' -l sort -l columns -l min -l max -a '(__git_run_offered columns)'
complete -c git-run -x -n 'not __git_run_starts' -l author -l where -l batch -l since -l until -l limit -l top -l for
complete -c git-run -x -n '__git_run_is plot' -l smooth -l width -l height
complete -c git-run -x -n '__git_run_starts' -l label -l tag -l comment -l stop-after -l gpus -l random-seed
complete -c git-run -x -n '__git_run_starts' -l at -a '(__git_run_commits)' -d commit
complete -c git-run -x -n '__git_run_is bisect' -l good -l bad -a '(__git_run_commits)' -d commit
complete -c git-run -x -n '__git_run_is report' -l format -a 'md html json'
complete -c git-run -x -n '__git_run_is list' -l format
complete -c git-run -x -n '__git_run_is cat' -s p -l path -a '(__git_run_offered files (__git_run_behind))'
