"""The command line: one file a verb, imported when its verb is called; one place turns errors into text and exit codes."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from gitrun.errors import GitrunError
from gitrun.model.text import safe_text

VERBS = {
    "run": "start a run, or another attempt of one",
    "list": "the runs, newest attempt first",
    "show": "one run",
    "log": "the attempts of a run",
    "cat": "a file of a run, or its output",
    "select": "the ids of runs",
    "checkout": "bring what a run produced into the working tree",
    "mark": "mark a run as the one that its operation's name means",
    "stop": "end a running run",
    "watch": "follow the output of a run",
    "demo": "see what git run does, in a scratch repository",
    "help": "the man page",
}
EPILOG = "\b\nVerbs:\n" + "\n".join(f"  {name:<8} {words}" for name, words in VERBS.items())


def main() -> None:
    """The executable `git-run`."""
    if sys.platform == "win32":
        sys.exit("gitrun does not run on Windows yet; it does in WSL")
    open_missing()
    for stream in (sys.stdout, sys.stderr):  # what its encoding has no bytes for is said escaped
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(answer(sys.argv[1:]))


def open_missing() -> None:
    """What we were started without of stdin, stdout and stderr leads nowhere, and not into the next file that is opened."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)  # noqa: FBT003 - the function takes it so
    os.close(opened)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout, sys.stderr = sys.stdout or os.fdopen(1, "w"), sys.stderr or os.fdopen(2, "w")


def answer(words: list[str]) -> int:
    """Does what the words ask for, or says on stderr why not; the exit code."""
    verb = words.pop(0) if words and words[0] in VERBS else "run"
    ours = words[: words.index("--")] if "--" in words else words
    as_json = "--json" in ours
    try:
        return invoke(verb, ["-h"] if "-h" in ours else words)
    except GitrunError as error:
        return complain(error.message, error.hint, error.exit_code, as_json=as_json)
    except click.ClickException as error:
        hint = f"git run {'' if verb == 'run' else verb + ' '}-h shows the options"
        return complain(error.format_message(), hint, 129, as_json=as_json)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # as if SIGPIPE had ended us
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}", "", 128, as_json=as_json)


def invoke(verb: str, words: list[str]) -> int:
    """Runs the verb; its exit code."""
    command: click.Command = import_module(f"gitrun.commands.{verb}").command
    if words == ["-h"]:
        # in the raw docstrings of the verbs, click's mark for lines that stay as they are is two characters
        command.help = (command.help or "").replace("\\b\n", "\b\n")
        context = click.Context(command, info_name="git run" if verb == "run" else f"git run {verb}")
        click.echo(command.get_help(context))
        return 129
    rest: tuple[str, ...] = ()
    if verb == "run" and "--" in words:
        place = words.index("--")
        words, rest = words[:place], tuple(words[place + 1 :])
    # not command.main(): it would end us with 1 when nobody reads our output any more
    with command.make_context(f"git run {verb}", words, obj=rest) as context:
        found: Any = command.invoke(context)
    sys.stdout.flush()
    return found if isinstance(found, int) else 0


def complain(message: str, hint: str, code: int, *, as_json: bool) -> int:
    """Says what is and what to do, on stderr; the exit code."""
    if as_json:
        words = {"error": code, "message": message, "hint": hint}
        print(json.dumps(words), file=sys.stderr)
        return code
    between = " " if message.endswith("?") else "; "
    line = safe_text(message.rstrip(".")) + (f"{between}{safe_text(hint)}" if hint else "")
    print(f"gitrun: {line}", file=sys.stderr)
    return code
