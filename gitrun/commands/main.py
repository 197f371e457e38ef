"""The command line: one file a verb, imported when its verb is called; one place turns errors into text and exit codes."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
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
    words = sys.argv[1:]
    verb = words.pop(0) if words and words[0] in VERBS else "run"
    if "-h" in words[: words.index("--")] if "--" in words else "-h" in words:
        words = ["-h"]
    as_json = "--json" in words
    try:
        sys.exit(invoke(verb, words))
    except GitrunError as error:
        sys.exit(complain(error.message, error.hint, error.exit_code, as_json=as_json))
    except click.ClickException as error:
        hint = f"git run {'' if verb == 'run' else verb + ' '}-h shows the options"
        sys.exit(complain(error.format_message(), hint, 129, as_json=as_json))
    except click.exceptions.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # as if SIGPIPE had ended us
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(complain(f"{place}{error.strerror}", "", 128, as_json=as_json))


def invoke(verb: str, words: list[str]) -> int:
    """Runs the verb; its exit code."""
    command: click.Command = import_module(f"gitrun.commands.{verb}").command
    if words == ["-h"]:
        context = click.Context(command, info_name="git run" if verb == "run" else f"git run {verb}")
        click.echo(command.get_help(context))
        return 129
    rest: tuple[str, ...] = ()
    if verb == "run" and "--" in words:
        place = words.index("--")
        words, rest = words[:place], tuple(words[place + 1 :])
    found: Any = command.main(words, prog_name=f"git run {verb}", standalone_mode=False, obj=rest)
    sys.stdout.flush()
    return found if isinstance(found, int) else 0


def complain(message: str, hint: str, code: int, *, as_json: bool) -> int:
    """Says what is and what to do, on stderr; the exit code."""
    if as_json:
        words = {"error": code, "message": message, "hint": hint}
        print(json.dumps(words), file=sys.stderr)
        return code
    line = safe_text(message.rstrip(".")) + (f"; {safe_text(hint)}" if hint else "")
    print(f"gitrun: {line}", file=sys.stderr)
    return code
