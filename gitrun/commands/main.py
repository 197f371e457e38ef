"""The command line. Imports a verb's file when it is called, and turns errors into text and exit codes in one place."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import nullcontext
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NamedTuple

from gitrun import commands
from gitrun.errors import GitrunError, UnknownOperation
from gitrun.model.text import escape_surrogates, hide_passwords, safe_text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import click

GROUPS = {
    "start a program": {
        "run": "start a run, or another attempt of one",
        "ops": "list what can be run here, with its flags",
        "watch": "follow the output of a run",
        "stop": "end a running run",
    },
    "look at runs": {
        "list": "list runs, newest attempt first",
        "show": "show one run",
        "log": "show the attempts of a run, or commits with their runs",
        "ls": "list the files of a run",
        "cat": "print a file of a run, or its output",
        "select": "print the ids of runs",
    },
    "compare runs": {
        "diff": "show how two runs differ: flags, source, output",
        "compare": "show many runs side by side",
    },
    "keep, name and delete runs": {
        "checkout": "copy what a run produced into the working tree",
        "label": "give runs a name",
        "tag": "put tags on runs",
        "comment": "add a comment to runs",
        "mark": "mark the run that its operation's name means",
        "rm": "move runs to the trash",
        "restore": "bring deleted runs back",
        "purge": "delete the runs in the trash for good",
    },
    "share runs": {
        "push": "send runs to a remote",
        "fetch": "get runs from a remote",
        "pull": "get runs from a remote and merge them",
        "trust": "allow runs from elsewhere to be executed",
        "export": "write runs into a file",
        "import": "read runs from a file",
        "hooks": "install hooks that push runs with their commits",
    },
    "review runs": {
        "report": "write a report: Markdown, HTML, JSON, JUnit",
        "verify": "execute a run again and compare",
        "check": "check the metrics of a run against limits",
    },
    "maintain the repository": {
        "doctor": "find what is wrong, and repair it",
        "gc": "clean up: old runs, slots, files; pack loose objects",
        "notes": "show runs in git log --notes=runs",
        "install-docs": "install man pages and completions, if the installer hides them",
        "demo": "see what git run does, in a scratch repository",
        "help": "show a guide, or the usage of a verb",
    },
}
"""Every verb with its summary, in groups as `git help` has them."""
VERBS = {name: words for group in GROUPS.values() for name, words in group.items()}
TOPICS = {
    "tutorial": "the whole story, from the first run to a shared one",
    "files": "what happens to your files: snapshot, workspace, outputs",
    "flags": "flags of scripts, notebooks, config files and commands",
    "metrics": "how numbers in the output become metrics",
    "project": "gitrun.toml: operations, steps, needs, inputs",
    "sharing": "push, fetch, trust, signing and hooks",
    "review": "reports, gates, bisecting and continuous integration",
    "format": "how runs are stored in git",
    "settings": "git config gitrun.*",
    "python": "runs from Python, and metrics of your program",
    "coming-from-guild": "for users of Guild AI",
    "coming-from-dvc": "for users of DVC",
    "coming-from-mlflow": "for users of MLflow",
    "architecture": "for contributors: where everything is",
    "testing": "for contributors: how gitrun is tested",
    "speed": "for contributors: measurements and limits",
    "style": "for contributors: rules for words and code",
}
"""Guides of `git run help <topic>` with their summaries."""
MANUAL = "git-run"
"""Topic that is the man page, with every option and setting."""
PLUMBING = frozenset({"hook"})
"""Verbs for gitrun's own hook scripts, not for people."""
LOOKING = frozenset({"list", "show", "log", "diff", "compare", "ls"})
"""Verbs with paged and coloured output. They start no user program."""


def format_names(names: dict[str, str], width: int = max(map(len, VERBS))) -> str:
    """Returns names, padded to the width, with their summaries: a line each."""
    return "\n".join(f"  {name:<{width}}  {words}" for name, words in names.items())


EPILOG = (
    "\b\n"
    + "\n\n\b\n".join(f"{heading.capitalize()}:\n{format_names(group)}" for heading, group in GROUPS.items())
    + "\n\n\b\nGuides: git run help <topic>. To list the topics: git run help"
)


def main() -> None:
    """Runs the executable `git-run`."""
    if sys.platform == "win32":
        sys.exit("gitrun does not run on Windows yet; it does in WSL")
    open_missing()
    for stream in (sys.stdout, sys.stderr):  # escape characters that the locale's encoding lacks
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(answer(sys.argv[1:]))


def open_missing() -> None:
    """Opens the null device for closed standard streams, so that no file gets descriptor 0, 1 or 2."""
    # open returns the lowest free descriptor, so this fills the gaps
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)  # noqa: FBT003 - the function takes it so
    os.close(opened)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout, sys.stderr = sys.stdout or os.fdopen(1, "w"), sys.stderr or os.fdopen(2, "w")


def answer(words: list[str]) -> int:
    """Runs the call `words` and reports errors on stderr. Returns the exit code."""
    verb = words.pop(0) if words and (words[0] in VERBS or words[0] in PLUMBING) else "run"
    if words[:1] == ["--git-completion-helper"]:  # before any import, since the user waits at a key
        print(commands.completion.offered(verb))
        return 0
    if words[:1] == ["--git-completion-helper-flags"]:
        print(commands.completion.offered_here(words[1:]))
        return 0
    if words[:1] == ["--git-completion-helper-values"]:
        print(commands.completion.candidates(words[1:]))
        return 0
    if "GIT_TRACE2_EVENT" not in os.environ:
        return obey(verb, words)

    return commands.trace.traced(verb, lambda: obey(verb, words))


def obey(verb: str, words: list[str]) -> int:
    """Runs the verb and reports errors on stderr. Returns the exit code."""
    import click

    # options after `--` are the program's
    ours = words[: words.index("--")] if "--" in words else words
    as_json = "--json" in ours
    if "-h" in ours:
        verb, words = usage_asked(verb, ours)
    elif "--help" in ours:
        verb, words = "help", [MANUAL]
    try:
        return invoke_or_move(verb, words)
    except GitrunError as error:
        code = complain(Complaint(error.kind, *told_of(error, words), error.exit_code), as_json=as_json)
        for line in error.detail.splitlines() if not as_json else ():
            print(safe_text(line), file=sys.stderr)
        return code
    except click.ClickException as error:
        return complain(Complaint("usage", *commands.usage_errors.told(error, verb, words), 129), as_json=as_json)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # 128 + SIGPIPE, as a shell reports a program that it killed
        # Python flushes stdout when it exits, which would fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        return complain(Complaint("system", told_of_system(error), "", 128), as_json=as_json)


def invoke_or_move(verb: str, words: list[str]) -> int:
    """Runs the verb. An option that git run lacks may be the script's, and is tried after `--`. Returns the exit code."""
    import click

    try:
        return invoke(verb, [*words])
    except click.NoSuchOption:
        again = commands.options.moved(words) if verb == "run" else None
        if again is None:
            raise
        return invoke(verb, again)


def told_of_system(error: OSError) -> str:
    """Describes what the system refused. A read-only gitrun directory is reported as a read-only repository."""
    place, reason = os.fsdecode(error.filename or ""), error.strerror or str(error)
    is_ours = ".git/" in place and "/gitrun/" in place and error.errno in {errno.EROFS, errno.EACCES}
    if is_ours and not os.access(place.rpartition("/")[0], os.W_OK):
        return f"this repository cannot be written: {reason}"
    return f"{place}: {reason}" if place else reason


def usage_asked(verb: str, words: list[str]) -> tuple[str, list[str]]:
    """Returns verb and words that answer `-h`: the operation's flags if one is named, else the usage."""
    before = words[: words.index("-h")]
    operation = commands.usage_errors.operation_in(before, command_of("run").params) if verb == "run" else ""
    if verb == "run" and "-m" in before[:-1]:
        operation = f"-m {before[before.index('-m') + 1]}"
    return ("ops", ["--", operation]) if operation else (verb, ["-h"])


def module_of(verb: str) -> str:
    """Returns the module name of a verb; `import_` for the keyword `import`."""
    return "import_" if verb == "import" else verb.replace("-", "_")


def command_of(verb: str) -> click.Command:
    """Imports the verb and returns its click command."""
    found: click.Command = import_module(f"gitrun.commands.{module_of(verb)}").command
    if verb in LOOKING:
        found.params.extend(
            option for option in commands.screen.options() if option.name not in {known.name for known in found.params}
        )
    return found


def invoke(verb: str, words: list[str]) -> int:
    """Runs the verb and returns its exit code."""
    command = command_of(verb)
    if words == ["-h"]:
        return print_help(verb, command)
    rest: tuple[str, ...] = ()
    if verb == "run" and "--" in words:
        place = words.index("--")
        words, rest = words[:place], tuple(words[place + 1 :])
    if verb in LOOKING:  # `--color` takes no value from the next word, as in git
        words = ["--color=always" if word == "--color" else word for word in words]
    # not command.main(): it exits with 1 on a broken pipe
    with command.make_context(f"git run {verb}", [*words], obj=rest) as context, place_to_show(verb):
        found: Any = command.invoke(context)
        sys.stdout.flush()
    return found if isinstance(found, int) else 0


def place_to_show(verb: str) -> AbstractContextManager[None]:
    """Returns a context that pages output, for verbs that look, on a terminal; else one that does nothing."""
    if verb not in LOOKING or not sys.stdout.isatty():
        return nullcontext()

    return commands.screen.paged()


def print_help(verb: str, command: click.Command) -> int:
    """Prints the usage. Returns 129, git's exit code for it."""
    import click

    # the verbs' docstrings are raw, so click's \b marker arrives as two characters
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    context = click.Context(command, info_name="git run" if verb == "run" else f"git run {verb}")
    click.echo(command.get_help(context))
    return 129


def told_of(error: GitrunError, words: list[str]) -> tuple[str, str]:
    """Returns message and hint. An unknown operation may be a mistyped verb, and only commands know the verbs."""
    if not isinstance(error, UnknownOperation):
        return error.message, error.hint

    return commands.usage_errors.with_verbs(error, words)


class Complaint(NamedTuple):
    """An error to report: its kind for programs, message and hint for people, and the exit code."""

    kind: str
    message: str
    hint: str
    code: int


def complain(found: Complaint, *, as_json: bool) -> int:
    """Prints an error on stderr, as JSON if asked. Returns its exit code."""
    message, hint = hide_passwords(found.message), hide_passwords(found.hint)
    if as_json:
        words = {
            "kind": found.kind,
            "error": found.code,
            "message": escape_surrogates(message),
            "hint": escape_surrogates(hint),
        }
        print(json.dumps(words), file=sys.stderr)
        return found.code
    between = " " if message.endswith("?") else "; "
    line = safe_text(message.rstrip(".")) + (f"{between}{safe_text(hint)}" if hint else "")
    print(f"gitrun: {line}", file=sys.stderr)
    return found.code
