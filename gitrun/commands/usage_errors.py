"""Explains usage errors: translates click's messages, and guesses what was meant."""

from __future__ import annotations

import re
import shlex
import shutil
from contextlib import suppress
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

import click

from gitrun import commands
from gitrun.commands.verbs import VERBS, load_command
from gitrun.errors import GitrunError, UnknownOperation, UsageError
from gitrun.model.run import RUNNING, STAGED, Run, short_id
from gitrun.model.text import either_text
from gitrun.render.text import status_text
from gitrun.scripts.discover import ARGS, Script, own_options_note

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from gitrun.commands.declared import TypedWords
    from gitrun.model.plan import Request
    from gitrun.project import Project
    from gitrun.source.catalog import Offer


FEW = 8
RESTART = "To run it again: git run --restart {}"
AGAIN = {RUNNING: "To stop it: git run stop {}", STAGED: "To start it: git run --start {}"}
"""Suggestions for the last run, by its status."""

NEAR = 0.7
"""Similarity (0 to 1) at which a word counts as a misspelling of another."""
RUN = ("--restart", "--start")
"""Options of `git run` whose value names what to run."""
WANTED = {"runs": "the name of a run", "file": "the path of a file"}
TYPE_WORDS = {"integer": "a whole number", "float": "a number"}
# click 8: '3x' is not a valid integer range.
WRONG_TYPE = re.compile(r"('.*') is not a valid (integer|float)( range)?\.?", re.DOTALL)
# click 8: 0 is not in the range x>=1.
TOO_SMALL = re.compile(r"(\S+) is not in the range x>=([0-9]+)\.?")
# click 8: Got unexpected extra arguments (a b)
SURPLUS = re.compile(r"unexpected extra arguments? \((?P<words>.*)\)", re.DOTALL)
BYTE = re.compile(r"(?<!\\)\\udc([89a-f][0-9a-f])")
"""Python's spelling of a byte that is not UTF-8."""
# the word after --lr is a value if it is -0.5, else an option
NUMBER = re.compile(r"-[0-9.]")
HABITS = {
    **dict.fromkeys(("restart", "resume", "start", "rerun", "repeat", "retry"), "To restart a run: git run --restart RUN"),
    "stage": "To stage a run: git run --stage OPERATION. To start it: git run --start RUN",
    **dict.fromkeys(("runs", "history", "results", "experiments"), "To list the runs: git run list"),
    **dict.fromkeys(("ps", "jobs"), "To list what is running: git run list --status running"),
    **dict.fromkeys(("kill", "cancel", "abort"), "To stop a run: git run stop RUN"),
    **dict.fromkeys(("ui", "dashboard", "web"), "To see the runs in a browser: git run view"),
    **dict.fromkeys(("init", "setup"), "gitrun needs no setup. To write gitrun.toml: git run ops --init"),
    **dict.fromkeys(("sweep", "grid", "optimize"), "To try several values: git run OPERATION lr=[0.1,0.2]"),
    **dict.fromkeys(("logs", "output"), "To print the output of a run: git run cat RUN"),
    **dict.fromkeys(("files", "artifacts"), "To list the files of a run: git run ls RUN. To copy them: git run checkout RUN"),
    **dict.fromkeys(("rename", "name"), "To name a run: git run label NAME RUN"),
    **dict.fromkeys(("reproduce", "repro"), "To run again and compare: git run verify RUN"),
    "info": "To show a run: git run show RUN",
    **dict.fromkeys(("delete", "remove"), "To delete runs: git run rm RUN"),
    "undelete": "To restore deleted runs: git run restore RUN",
    **dict.fromkeys(("follow", "tail"), "To follow a run: git run watch RUN"),
    "clean": "To clean up: git run gc",
}
"""Verbs of other tools, and their equivalents here."""
COUNT = re.compile(r"-[0-9]+")
OTHER_OPTIONS = {
    "-C": "To run in another directory: git -C DIRECTORY run",
    "--detach": "To return at once: --background",
    **dict.fromkeys(("--optimize", "-O"), "To search with the default optimizer: give a range, such as lr=[0.001:0.1]"),
    **dict.fromkeys(("--batch-tag", "--batch-comment"), "To name a batch: --batch-label. To annotate it: git run tag, comment"),
    "--init-trials": "To record trials without starting them: --stage-trials",
    "--trials": "To limit the number of trials: --max-trials",
    **dict.fromkeys(("--keep-batch", "--keep-run"), "gitrun keeps every run. To delete one: git run rm RUN"),
    "--proto": "To start from the flags of a run: --restart RUN, with --force-sourcecode for the code in your working tree",
}
"""Options of other tools that have another form here."""


def explain_click_error(error: click.ClickException, verb: str, words: Sequence[str]) -> tuple[str, str]:
    """Translates a click error into (message, hint)."""
    called = "git run" if verb == "run" else f"git run {verb}"
    hint = f"To list the options: {called} -h"
    if isinstance(error, click.NoSuchOption):
        if verb == "run":
            return explain_no_option(error, words, hint)
        return explain_unknown_option(error), hint_for_count(error, called, words) or hint
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument):
        return f"{called} needs {WANTED.get(error.param.name or '', error.param.name)}", hint
    if isinstance(error, click.BadOptionUsage):
        if verb == "run" and (assignment := guess_assignment(error, words)):
            return f"flags are written {assignment.lstrip('-')}, not {assignment}", hint
        return f"{error.option_name} {'needs a' if 'requires' in error.message else 'takes no'} value", hint
    if isinstance(error, click.BadParameter) and isinstance(error.param, click.Option):
        return f"{'/'.join(sorted(error.param.opts, key=len))}{explain_wrong_value(error.message)}", hint
    if surplus := SURPLUS.search(error.format_message()):
        return f"{called} does not take '{surplus['words']}'", hint
    return error.format_message(), hint


def explain_wrong_value(message: str) -> str:
    """Describes a wrong value; the result follows the option's name. Shows bytes that are not UTF-8 in hex."""
    message = BYTE.sub(r"\\x\1", message)
    if wrong := WRONG_TYPE.fullmatch(message):
        return f" must be {TYPE_WORDS[wrong[2]]}, not {wrong[1]}"
    if small := TOO_SMALL.fullmatch(message):
        return f" must be {small[2]} or more, not {small[1]}"
    return f": {message}"


def explain_unknown_option(error: click.NoSuchOption) -> str:
    """Returns the message for an unknown option, with similar ones."""
    near = find_near_options(error)
    return f"no option '{error.option_name}'" + (f". Did you mean {either_text(near)}?" if near else "")


def hint_for_count(error: click.NoSuchOption, called: str, words: Sequence[str]) -> str:
    """Returns how to limit a list that is limited as in `git log -5`; empty for another option or verb."""
    count = next((word[1:] for word in words if COUNT.fullmatch(word)), "")
    counts = [param for param in error.ctx.command.params if "-n" in param.opts] if error.ctx else []
    is_count = COUNT.fullmatch(error.option_name) and any(isinstance(param.type, click.types.IntParamType) for param in counts)
    return f"To see {count}: {called} -n {count}" if count and is_count else ""


def find_near_options(error: click.NoSuchOption) -> list[str]:
    """Returns the long options that resemble the given one. Dashes do not count."""
    name_given = error.option_name.lstrip("-")
    near = (option for option in error.possibilities or () if option.startswith("--"))
    return [option for option in near if SequenceMatcher(None, name_given, option.lstrip("-")).ratio() >= NEAR]


def explain_no_option(error: click.NoSuchOption, words: Sequence[str], hint: str) -> tuple[str, str]:
    """Returns (message, hint) for an option unknown to `git run`. For a flag of the operation, says how to write it."""
    name, near = error.option_name, find_near_options(error)
    if name in OTHER_OPTIONS:
        return f"no option '{name}'", OTHER_OPTIONS[name]
    # click does not tell the position
    position = next((at for at, word in enumerate(words) if is_option(word, name)), len(words))
    options = error.ctx.command.params if error.ctx else ()
    # before an operation it was meant for git run, after it for the script
    operation = find_named_operation(words[:position], options)
    if not operation and not any(word.partition("=")[0] in RUN for word in words[:position]):
        if verb := find_verb(name, words[position + 1 :]):
            return explain_option_order(verb)
        return explain_unknown_option(error), hint if near else f"To set a flag: NAME=VALUE. {hint}"
    typed, _, value = words[position].partition("=") if position < len(words) else (name, "", "")
    after = words[position + 1] if position + 1 < len(words) else ""
    value_given = value or (after if after and "=" not in after and (after[0] != "-" or NUMBER.match(after)) else "")
    flag, option_text = name.lstrip("-"), typed + ("=" if value else " ") * bool(value_given) + value_given
    assignment = shlex.quote(f"{flag}={value_given or 'true'}") if len(flag) > 1 else "name=value"
    more = f". A similar option of git run: {either_text(near)}" if near else ""
    to_pass = f"To pass it to the program: put it after --{more}"
    if operation and (offer := find_offer(operation)) and not may_have_flag(offer, flag):
        return f"gitrun knows no option {name} of {operation}", to_pass
    return f"flags are written {assignment}, not {option_text}", to_pass


def guess_assignment(error: click.BadOptionUsage, words: Sequence[str]) -> str:
    """Returns the word that gives a value to an option without one, if the operation before it has that flag; else empty."""
    position = next((at for at, word in enumerate(words) if word.startswith(f"{error.option_name}=")), 0)
    operation = find_named_operation(words[:position], error.ctx.command.params if error.ctx else ())
    offer = find_offer(operation) if operation else None
    return words[position] if offer and offer.flags and may_have_flag(offer, error.option_name.lstrip("-")) else ""


def may_have_flag(offer: Offer, name: str) -> bool:
    """Returns whether the operation takes a flag of that name, or of that letter, as far as gitrun can read its source."""
    if offer.flags is None or offer.note:
        return True
    letters = {option.lstrip("-") for flag in offer.flags for option in (flag.option, *flag.aliases)}
    return name in letters or any(flag.name.replace("-", "_") == name.replace("-", "_") for flag in offer.flags)


def explain_options_behind(request: Request) -> str:
    """Returns a line about options of git run that may have been meant for the script, which has them too; else empty."""
    offer = find_offer(request.operation, request.at) if request.options_behind and request.operation else None
    if offer is None:
        return ""
    script = Script(offer.flags or (), ARGS, offer.frontend, offer.commands)
    note = own_options_note(script, request.options_behind, offer.name, request.command)
    return f"gitrun: {note}" if note else ""


def is_option(word: str, name: str) -> bool:
    """Returns whether a word contains the option; short options may be combined or followed by a value."""
    return word.partition("=")[0] == name if name.startswith("--") else word[:1] == "-" != word[1:2] and name[1:] in word


def find_operation_word(words: Sequence[str], options: Sequence[click.Parameter]) -> str:
    """Returns the first word that is no flag, option or value of an option; empty if there is none."""
    takes = {name for one in options if isinstance(one, click.Option) and not one.is_flag for name in one.opts}
    before = ""
    for word in words:
        if before not in takes and not word.startswith("-") and "=" not in word:
            return word
        before = word
    return ""


def find_named_operation(words: Sequence[str], options: Sequence[click.Parameter]) -> str:
    """Returns the operation that the words name, such as `train.py` or `-m pkg.train`; empty if there is none."""
    # the word after -m is the value of an option, but names what is run
    if "-m" in words[:-1]:
        return f"-m {words[words.index('-m') + 1]}"
    return find_operation_word(words, options)


def explain_stray_word(words: Sequence[str], typed: TypedWords) -> UsageError:
    """Makes the error for a second word that is neither flag nor option, with a guess at its meaning."""
    first, word = [word for word in words if "=" not in word][:2]
    behind = ["--", *typed.rest] if typed.rest else []
    rest, flags = shlex.join([word for word in words if word != first] + behind), [word for word in words if "=" in word]
    command = f"git run {shlex.join([*flags, '--', *(word for word in words if '=' not in word), *typed.rest])}"
    offer = find_offer(first)
    if offer and (pair := guess_flag([word for word in words if word != first], [flag.name for flag in offer.flags or ()])):
        return UsageError("a flag and its value must be one word", f"Did you mean {pair}?")
    fact = f"'{word}' is neither a flag nor an option"
    if first.isdecimal() and word in VERBS and not offer:  # the number is the value of an option such as -n 3
        return UsageError(*explain_option_order(word))
    if offer:
        # of `-n 5`, git run takes -n for its own
        before = typed.words[typed.words.index(word) - 1]
        arguments = shlex.join([*([before] if before.startswith("-") else []), word, *typed.rest])
        return UsageError(fact, f"To set a flag: NAME=VALUE. To pass an argument: git run {first} -- {arguments}")
    if first in VERBS:
        return verb_is_no_operation(first)
    if first in HABITS:
        return UsageError(f"no script, program or verb '{first}' here", HABITS[first])
    # a program of that name is no misspelt verb
    if not shutil.which(first) and (near := near_verbs(first)):
        return UsageError(f"no script, program or verb '{first}' here", f"Did you mean {either_text(near)}?")
    if find_offer(word):
        return UsageError(fact, f"To run {word}: git run {rest}. To run it as a command: {command}")
    return UsageError(fact, f"To set a flag: NAME=VALUE. To run any program: {command}")


def near_verbs(word: str) -> list[str]:
    """Returns the verbs that a word may mean: those of the same letters in another order, else similar ones."""
    anagrams = [verb for verb in VERBS if sorted(verb) == sorted(word)]
    return anagrams or get_close_matches(word, VERBS, 2, NEAR)


def guess_flag(words: Sequence[str], flags: Collection[str]) -> str:
    """Returns a flag that was written as `lr 0.1`, `lr =0.1`, `lr= 0.1` or `lr:0.1` in the form `lr=0.1`; else empty."""
    for position, word in enumerate(words):
        name, sign, value = word.partition(":" if "=" not in word else "=")
        if name not in flags or (sign and value and sign != ":"):
            continue
        after = [word for word in words[position + 1 :] if word != "="][:1]
        return shlex.quote(f"{name}={value or ''.join(after).removeprefix('=') or 'VALUE'}")
    return ""


def find_offer(name: str, commit: str | None = None) -> Offer | None:
    """Returns the operation of that name in the working tree or the commit; None if there is none that is readable."""
    project = commands.selecting.open_project()
    # this helps to explain another error, which is the one to report
    with suppress(GitrunError):
        return project.list_operations([name], at=commit)[0]
    return None


def explain_unknown_operation(error: UnknownOperation, words: Sequence[str]) -> tuple[str, str]:
    """Returns (message, hint) for an unknown operation, which may be a verb, perhaps after options."""
    if error.name in VERBS:
        plain = verb_is_no_operation(error.name)
        # `git run --json list`: an option before it makes the verb an operation
        message, hint = explain_option_order(error.name) if error.name in words[1:] else (plain.message, plain.hint)
        return message, f"{hint}. Did you mean {either_text(error.near)}?" if error.near else hint
    if error.name in HABITS:
        return error.message, HABITS[error.name]
    if shutil.which(error.name) and not error.near:
        return error.message, f"To run the program of that name: git run -- {shlex.quote(error.name)}"
    near = [*near_verbs(error.name), *error.near]
    return error.message, f"Did you mean {either_text(near)}?" if near else error.hint


def require_no_verb(name: str | None) -> None:
    """Raises UnknownOperation if `name` is a verb and no operation."""
    if name in VERBS and not find_offer(name):
        raise verb_is_no_operation(name)


def verb_is_no_operation(verb: str) -> UnknownOperation:
    """Makes the error for a verb where an operation is expected."""
    return UnknownOperation(f"no script or program '{verb}' here", f"To use the verb: git run {verb}", verb)


def explain_option_order(verb: str) -> tuple[str, str]:
    """Returns (message, hint) for options in front of the verb."""
    return f"options of {verb} go after the verb", f"To list them: git run {verb} -h"


def find_verb(option: str, words: Sequence[str]) -> str:
    """Returns the first verb among the words if it has the option; else empty."""
    verb = next((word for word in words if word in VERBS), "")
    return verb if verb and any(option in one.opts for one in load_command(verb).params) else ""


def explain_empty_call(project: Project) -> UsageError:
    """Makes the error for an empty call, with the operations here and the last run."""
    error = UsageError(
        "no operation given",
        "To run a script: git run <script>. To run any program: git run -- <command>. To list the options: git run -h",
    )
    error.detail = "\n".join(describe_project(project))
    return error


def describe_project(project: Project) -> Iterator[str]:
    """Yields a line about the operations, and one about the last run."""
    # a project file with a mistake must not hide the error about the call
    with suppress(GitrunError):
        names = [offer.name for offer in project.list_operations() if not offer.error]
        more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
        if names:
            yield f"Operations here: {', '.join(names[:FEW])}{more}. To see their flags: git run ops"
    with project.index() as index:
        runs = index.newest(1).runs
    for run in runs:
        if isinstance(run, Run):
            name = short_id(run.id)
            again = AGAIN.get(run.status, RESTART).format(name)
            yield f"Last run: {name}, {run.operation}, {status_text(run.attempt)}. {again}"
