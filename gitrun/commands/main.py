"""The command line. Imports a verb's file when it is called, and turns errors into text and exit codes in one place."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import nullcontext
from io import TextIOWrapper

from gitrun import commands
from gitrun.commands import declared
from gitrun.commands.verbs import LOOKING, MANUAL, PLUMBING, VERBS, load_command, load_verb, print_help
from gitrun.dataclass import dataclass
from gitrun.errors import GitrunError, UnknownOperation, joined
from gitrun.model.text import escape_surrogates, hide_passwords, safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def main() -> None:
    """Runs the executable `git-run`."""
    if sys.platform == "win32":
        # gitrun needs fork, POSIX signals and fcntl
        sys.exit("gitrun: error: Windows is not supported. To use gitrun there: run it in WSL")
    prepare_streams()
    sys.exit(run_command(sys.argv[1:]))


def prepare_streams() -> None:
    """Opens missing standard streams, and has characters escaped that the locale's encoding lacks."""
    open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def open_missing_streams() -> None:
    """Opens the null device for closed standard streams, so that no file gets descriptor 0, 1 or 2."""
    # open returns the lowest free descriptor, so this fills the gaps
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)  # noqa: FBT003 - the function takes it so
    os.close(opened)
    # Python sets a stream to None if its descriptor is closed at the start
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout, sys.stderr = sys.stdout or os.fdopen(1, "w"), sys.stderr or os.fdopen(2, "w")


def run_command(words: list[str]) -> int:
    """Runs the call `words` and reports errors on stderr. Returns the exit code."""
    # a first word that is no verb belongs to `run`: git run train.py
    verb = words.pop(0) if words and (words[0] in VERBS or words[0] in PLUMBING) else "run"
    if words[:1] == ["--git-completion-helper"]:  # before any import, since the user waits at a key
        print(commands.completion.complete_words(verb))
        return 0
    if words[:1] == ["--git-completion-helper-flags"]:
        print(commands.completion.complete_flags(words[1:]))
        return 0
    if words[:1] == ["--git-completion-helper-values"]:
        print(commands.completion.complete_values(words[1:]))
        return 0
    if "GIT_TRACE2_EVENT" not in os.environ:
        return dispatch(verb, words)

    return commands.trace.run_traced(verb, lambda: dispatch(verb, words))


def dispatch(verb: str, words: list[str]) -> int:
    """Runs the verb and reports errors on stderr. Returns the exit code."""
    # options after `--` are the program's
    ours = words[: words.index("--")] if "--" in words else words
    as_json = "--json" in ours
    # git takes `git run --help` for itself and opens the man page; only `git-run --help` arrives here
    if "-h" in ours:
        verb, words = resolve_help(verb, ours, "-h")
    elif "--help" in ours:
        asked = resolve_help(verb, ours, "--help")
        verb, words = asked if asked[0] == "ops" else ("help", [MANUAL])
    try:
        return invoke_with_script_options(verb, words)
    except GitrunError as error:
        code = print_error(ErrorReport(error.kind, *explain(error, words), error.exit_code), as_json=as_json)
        for line in error.detail.splitlines() if not as_json else ():
            print(safe_text(line), file=sys.stderr)
        return code
    except declared.click_error("ClickException") as error:
        return print_error(
            ErrorReport("usage", *commands.usage_errors.explain_click_error(error, verb, words), 129), as_json=as_json
        )
    except KeyboardInterrupt:
        # 128 + SIGINT, as a shell reports Ctrl-C
        return 130
    except declared.click_error("Abort"):  # Ctrl-C, or no, at a question
        return 130
    except BrokenPipeError:  # 128 + SIGPIPE, as a shell reports a program that it killed
        discard_output()
        return 141
    except OSError as error:
        discard_unwritable_output()
        return print_error(ErrorReport("system", explain_system_error(error), "", 128), as_json=as_json)


def discard_output() -> None:
    """Lets nobody get what stdout still holds: Python flushes it when it exits, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def discard_unwritable_output() -> None:
    """Discards what stdout still holds if it cannot be written, such as to a full disk."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()


def invoke_with_script_options(verb: str, words: list[str]) -> int:
    """Runs the verb. An option that git run lacks may be the script's, and is tried after `--`. Returns the exit code."""
    try:
        return invoke_verb(verb, [*words])
    except declared.click_error("NoSuchOption"):
        # click reports an unknown option before the verb has done anything, so a second try is safe
        again = commands.options.move_options(words) if verb == "run" else None
        if again is None:
            raise
        return invoke_verb(verb, again)


def explain_system_error(error: OSError) -> str:
    """Describes what the system refused. A read-only gitrun directory is reported as a read-only repository."""
    path, reason = os.fsdecode(error.filename or ""), error.strerror or str(error)
    is_ours = ".git/" in path and "/gitrun/" in path and error.errno in {errno.EROFS, errno.EACCES}
    # one file that cannot be written, in a directory that can, is another problem
    if is_ours and not os.access(path.rpartition("/")[0], os.W_OK):
        return f"cannot write to this repository: {reason}"
    return f"{path}: {reason}" if path else reason


def hint_for_space(message: str) -> str:
    """Returns what to do about a full disk; empty if the message does not end with that."""
    # git fast-import has its own words
    reasons = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "Out of diskspace")
    return "To go on: free space there, for example by git run gc" if message.endswith(reasons) else ""


def resolve_help(verb: str, words: list[str], option: str) -> tuple[str, list[str]]:
    """Returns verb and words that answer `-h` or `--help`: the operation's flags if one is named, else the usage."""
    before = words[: words.index(option)]
    operation = commands.usage_errors.find_named_operation(before, load_command("run").params) if verb == "run" else ""
    # behind `--` click does not take `-m pkg.train` for an option
    return ("ops", ["--", operation]) if operation else (verb, ["-h"])


def invoke_verb(verb: str, words: list[str]) -> int:
    """Runs the verb and returns its exit code."""
    if words == ["-h"]:
        return print_help(verb, load_command(verb))
    declaration = load_verb(verb)
    typed = declared.TypedWords(tuple(words))
    # click drops `--`, and operation and the program's arguments would be one list
    if verb in {"run", "bisect"} and "--" in words:
        end = words.index("--")
        typed = declared.TypedWords(tuple(words[:end]), tuple(words[end + 1 :]))
        words = words[:end]
    if verb in LOOKING:  # `--color` takes no value from the next word, as in git
        words = ["--color=always" if word == "--color" else word for word in words]
    values = declaration.read(words)
    # not command.main(): it exits with 1 on a broken pipe
    context = load_command(verb).make_context(f"git run {verb}", [*words], obj=typed) if values is None else None
    with context or nullcontext(), open_pager(verb):
        result = context.command.invoke(context) if context else declaration.call(typed, values or {})
        # a closed pipe must be noticed here, while it can still be reported
        sys.stdout.flush()
    return result if isinstance(result, int) else 0


def open_pager(verb: str) -> AbstractContextManager[None]:
    """Returns a context that pages output, for verbs that look, on a terminal; else one that does nothing."""
    if verb not in LOOKING or not sys.stdout.isatty():
        return nullcontext()

    return commands.screen.open_pager()


def explain(error: GitrunError, words: list[str]) -> tuple[str, str]:
    """Returns message and hint. An unknown operation may be a mistyped verb, and only commands know the verbs."""
    if not isinstance(error, UnknownOperation):
        return error.message, error.hint

    return commands.usage_errors.explain_unknown_operation(error, words)


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error to report: its kind for programs, message and hint for people, and the exit code."""

    kind: str
    message: str
    hint: str
    code: int


def print_error(report: ErrorReport, *, as_json: bool) -> int:
    """Prints an error on stderr, as JSON if asked. Returns its exit code."""
    # git's own messages may hold URLs with passwords
    message, hint = hide_passwords(report.message), hide_passwords(report.hint or hint_for_space(report.message))
    if as_json:
        words = {
            "kind": report.kind,
            "error": report.code,
            "message": escape_surrogates(message),
            "hint": escape_surrogates(hint),
        }
        print(json.dumps(words), file=sys.stderr)
        return report.code
    print(f"gitrun: error: {joined(safe_text(message), safe_text(hint))}", file=sys.stderr)
    return report.code
