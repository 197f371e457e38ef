# fish completion for `git run`; part of git-run-tracker
# Leads from `git run` to the completion of `git-run`, which git's own completion does not find in fish 3.6 and before.

function __git_run_after_git
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- run $words)]
    complete -C "git-run "(string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c git -n '__fish_git_using_command run' -a '(__git_run_after_git)'
