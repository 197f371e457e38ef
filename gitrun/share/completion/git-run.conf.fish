# fish completion for `git run`; part of git-run-tracker
# Leads from `git run` to the completion of `git-run`, which git's own completion does not find in fish 3.6 and before.

function __git_run_after_git
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- run $words)]
    complete -C "git-run "(string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c git -n '__fish_git_using_command run' -a '(__git_run_after_git)'

# Files are offered by git's completion, whatever ours says: not behind verbs that take none.
function __git_run_takes_no_file
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- run $words)]
    contains -- "$words[-1]" --to --out --junit; and return 1
    contains -- "$words[1]" list show log diff compare ls cat select label tag comment mark rm restore purge doctor gc notes \
        trust report verify check hooks stop watch demo install-docs help
end

complete -c git -f -n '__fish_git_using_command run; and __git_run_takes_no_file'
