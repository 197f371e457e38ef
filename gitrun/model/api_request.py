"""Options of `Project.run` as a request. Only this module checks their types, because Python does not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn

from gitrun.errors import BadValue, UsageError
from gitrun.model.batch import Batch
from gitrun.model.plan import Request
from gitrun.model.run import Run
from gitrun.model.settings import MAX_DURATION, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable


def request_from(operation: object, options: Mapping[str, Any]) -> Request:
    """Builds a request from keyword options; None means not given.

    Raises UsageError for an unknown option or a value of the wrong type.
    """
    for name, value in options.items():
        if name not in READERS:
            raise UsageError(f"run has no option '{name}'", f'To give a flag: flags={{"{name}": {value!r:.60}}}')
    call = {"operation": operation, **options}
    return Request(**{name: READERS[name](name, value) for name, value in call.items() if value is not None})


def refuse_option(name: str, takes: str, value: object, hint: str = "") -> NoReturn:
    """Raises UsageError: the option takes something else."""
    raise BadValue(f"{name} must be {takes}, not {value!r:.60}", hint)


def read_bool(name: str, value: object) -> bool:
    """Returns True or False. Refuses everything else: a text such as "no" would count as true."""
    return value if isinstance(value, bool) else refuse_option(name, "True or False", value)


def read_text(name: str, value: object) -> str:
    """Returns a text as a plain str."""
    # a subclass, such as numpy.str_, becomes a plain str
    return str.__str__(value) if isinstance(value, str) else refuse_option(name, "text", value)


def read_path(name: str, value: object) -> str:
    """Returns a text, or a path as text."""
    # names of files are bytes: fsdecode turns those that are not UTF-8 into surrogates instead of failing
    return os.fsdecode(value) if isinstance(value, os.PathLike) else read_text(name, value)


def read_command(name: str, value: object) -> tuple[str, ...]:
    """Returns the words of a command. Refuses a single text: only a shell could split it."""
    if isinstance(value, str):
        refuse_option(name, "a list of words", value, f"For example: {name}={value.split()!r:.200}")
    return read_texts(name, value)


def read_texts(name: str, value: object) -> tuple[str, ...]:
    """Returns one or several texts or paths as a tuple."""
    # a text is iterable too: without this test "ab" would become "a" and "b"
    if isinstance(value, str | os.PathLike):
        return (read_path(name, value),)
    # bytes yield integers, and a mapping would lose its values
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        return tuple(read_path(name, one) for one in value)
    return refuse_option(name, "a list of texts", value)


def read_metric_patterns(name: str, value: object) -> tuple[str, ...]:
    """Returns patterns for metrics as texts `NAME=PATTERN`; a mapping from names to patterns is accepted too."""
    if isinstance(value, Mapping):
        return tuple(f"{read_text(name, one)}={read_text(name, pattern)}" for one, pattern in value.items())
    return read_texts(name, value)


def read_flag_values(name: str, value: object) -> Mapping[str, Any]:
    """Returns a mapping of flags."""
    if not isinstance(value, Mapping):
        refuse_option(
            name,
            "a mapping from names to values",
            value,
            'For example: {"lr": 0.1}. To read words such as lr=0.1: gitrun.parse_flags',
        )
    for one in value:
        if not isinstance(one, str):
            refuse_option(name, "a mapping with names that are text", one)
    return value


def read_run_name(name: str, value: object) -> str:
    """Returns the name of a run that is given as a Run, a Batch, a name, or its number in the list."""
    if isinstance(value, Run | Batch):
        return value.id
    # True is an int in Python, and would be run 1
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else refuse_option(name, "a run, its name, or its number in the list", value)


def read_duration(name: str, value: object) -> float:
    """Returns seconds from a number, or from a duration such as "1h30m"."""
    if isinstance(value, str):
        return parse_duration(value)
    # nan fails the comparison with 0, infinity that with the maximum
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < (number := float(value)) < MAX_DURATION:
        return number
    return refuse_option(name, "a number of seconds", value, 'For example: 30 or "1h30m"')


def refuse_background(name: str, value: object) -> bool:
    """Returns False. Raises UsageError for True: only the command line has this option."""
    if read_bool(name, value):
        raise UsageError(f"{name} is only for the command line", "To run in the background: start a thread")
    return False


def read_int(name: str, value: object) -> int:
    """Returns a whole number."""
    # numpy.int64 is no int, but is registered as Integral
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return refuse_option(name, "a whole number", value)


def read_names(name: str, value: object) -> str:
    """Returns the names of one or several metrics, joined by commas."""
    return ",".join(read_texts(name, value))


def read_option_words(name: str, value: object) -> tuple[str, ...]:
    """Returns settings of an optimizer as words `NAME=VALUE`."""
    if isinstance(value, Mapping):
        return tuple(f"{key}={setting}" for key, setting in value.items())
    return read_texts(name, value)


def read_amounts(name: str, value: object) -> tuple[str, ...]:
    """Returns resources as words `NAME=AMOUNT`."""
    return tuple(f"{key}={amount}" for key, amount in value.items()) if isinstance(value, Mapping) else read_texts(name, value)


READERS: dict[str, Callable[[str, object], Any]] = {
    "operation": read_path, "command": read_command, "flags": read_flag_values, "restart": read_run_name,
    "needed": read_bool, "needed_source": read_bool, "force_sourcecode": read_bool, "stage": read_bool, "clean": read_bool,
    "at": read_text, "on": read_text, "via": read_text, "same_env": read_bool, "resources": read_amounts,
    "label": read_text, "tags": read_texts, "comment": read_text,
    "in_place": read_bool, "bring": read_bool, "links": read_texts, "no_link": read_bool, "outputs": read_texts,
    "stop_after": read_duration, "background": refuse_background,
    "force_flags": read_bool, "gpus": read_text, "no_gpus": read_bool, "random_seed": read_int, "metrics": read_metric_patterns,
    "optimizer": read_text, "opt_flags": read_option_words, "max_trials": read_int,
    "minimize": read_names, "maximize": read_names,
    "jobs": read_int, "fail_fast": read_bool, "retry_failed": read_bool, "all_trials": read_bool,
    "points": read_texts, "stage_trials": read_bool, "batch_label": read_text, "repeat": read_int, "learn": read_text,
    "prune": read_text, "gpus_per_trial": read_int, "quiet_trials": read_bool,
}  # fmt: skip
