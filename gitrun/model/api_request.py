"""Options of `Project.run` as a request. Only this module checks their types, because Python does not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn

from gitrun.errors import UsageError
from gitrun.model.plan import LATER, Request
from gitrun.model.run import Run
from gitrun.model.settings import LONGEST, seconds

if TYPE_CHECKING:
    from collections.abc import Callable


def request_from(operation: object, options: Mapping[str, Any]) -> Request:
    """Builds a request from keyword options; None means not given.

    Raises UsageError for an unknown option or a value of the wrong type.
    """
    for name, value in options.items():
        if name in LATER:
            raise UsageError(f"{name} is not there yet", "optimizers come with a later version")
        if name not in READERS:
            raise UsageError(f"'{name}' is no option of run", f'a flag is given as flags={{"{name}": {value!r:.60}}}')
    given = {"operation": operation, **options}
    return Request(**{name: READERS[name](name, value) for name, value in given.items() if value is not None})


def refuse(name: str, takes: str, value: object, hint: str = "") -> NoReturn:
    """Raises UsageError: the option takes something else."""
    raise UsageError(f"{name} takes {takes}, not {value!r:.60}", hint)


def truth(name: str, value: object) -> bool:
    """Returns True or False. Refuses everything else: a text such as "no" would count as true."""
    return value if isinstance(value, bool) else refuse(name, "True or False", value)


def text(name: str, value: object) -> str:
    """Returns a text as a plain str."""
    # a subclass, such as numpy.str_, becomes a plain str
    return str.__str__(value) if isinstance(value, str) else refuse(name, "text", value)


def path(name: str, value: object) -> str:
    """Returns a text, or a path as text."""
    return os.fsdecode(value) if isinstance(value, os.PathLike) else text(name, value)


def words(name: str, value: object) -> tuple[str, ...]:
    """Returns the words of a command. Refuses a single text: only a shell could split it."""
    if isinstance(value, str):
        refuse(name, "a list of words", value, f"for example {name}={value.split()!r:.200}")
    return texts(name, value)


def texts(name: str, value: object) -> tuple[str, ...]:
    """Returns one or several texts or paths as a tuple."""
    if isinstance(value, str | os.PathLike):
        return (path(name, value),)
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        return tuple(path(name, one) for one in value)
    return refuse(name, "a list of texts", value)


def patterns(name: str, value: object) -> tuple[str, ...]:
    """Returns patterns for metrics as texts `NAME=PATTERN`; a mapping from names to patterns is accepted too."""
    if isinstance(value, Mapping):
        return tuple(f"{text(name, one)}={text(name, pattern)}" for one, pattern in value.items())
    return texts(name, value)


def values(name: str, value: object) -> Mapping[str, Any]:
    """Returns a mapping of flags."""
    if not isinstance(value, Mapping):
        refuse(name, "names with values", value, 'for example {"lr": 0.1}; gitrun.parse_flags reads words such as lr=0.1')
    for one in value:
        if not isinstance(one, str):
            refuse(name, "names that are text", one)
    return value


def named(name: str, value: object) -> str:
    """Returns the name of a run that is given as a Run, a name, or its number in the list."""
    if isinstance(value, Run):
        return value.id
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else refuse(name, "a run, its name or its number in the list", value)


def duration(name: str, value: object) -> float:
    """Returns seconds from a number, or from a duration such as "1h30m"."""
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < (number := float(value)) < LONGEST:
        return number
    return refuse(name, "seconds", value, 'for example 30 or "1h30m"')


def only_there(name: str, value: object) -> bool:
    """Returns False. Raises UsageError for True: only the command line has this option."""
    if truth(name, value):
        raise UsageError(f"{name} is for the command line", "a run in another thread goes on beside this one")
    return False


def whole(name: str, value: object) -> int:
    """Returns a whole number."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return refuse(name, "a whole number", value)


READERS: dict[str, Callable[[str, object], Any]] = {
    "operation": path, "command": words, "flags": values, "restart": named, "needed": truth, "needed_source": truth,
    "force_sourcecode": truth, "stage": truth, "clean": truth, "label": text, "tags": texts, "comment": text,
    "in_place": truth, "bring": truth, "links": texts, "no_link": truth, "outputs": texts,
    "stop_after": duration, "background": only_there,
    "force_flags": truth, "gpus": text, "no_gpus": truth, "random_seed": whole, "metrics": patterns,
}  # fmt: skip
