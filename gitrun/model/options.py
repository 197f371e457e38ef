"""What a Python program asks for, as a request: only here are types looked at, for Python itself does not look."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn

from gitrun.errors import UsageError
from gitrun.model.request import LATER, Request
from gitrun.model.run import Run
from gitrun.model.settings import LONGEST, seconds

if TYPE_CHECKING:
    from collections.abc import Callable


def request_from(operation: object, options: Mapping[str, Any]) -> Request:
    """The request that these options are; one that is None is not given.

    Raises UsageError for an option that there is not, and for one of another type.
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
    """True or False; a text such as "no" would be true."""
    return value if isinstance(value, bool) else refuse(name, "True or False", value)


def text(name: str, value: object) -> str:
    """A text."""
    return str.__str__(value) if isinstance(value, str) else refuse(name, "text", value)


def path(name: str, value: object) -> str:
    """A text, or a path as one."""
    return os.fsdecode(value) if isinstance(value, os.PathLike) else text(name, value)


def words(name: str, value: object) -> tuple[str, ...]:
    """The words of a command: one text is none, for only a shell would know where its words end."""
    if isinstance(value, str):
        refuse(name, "a list of words", value, f"for example {name}={value.split()!r:.200}")
    return texts(name, value)


def texts(name: str, value: object) -> tuple[str, ...]:
    """Several texts or paths, or one."""
    if isinstance(value, str | os.PathLike):
        return (path(name, value),)
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        return tuple(path(name, one) for one in value)
    return refuse(name, "a list of texts", value)


def patterns(name: str, value: object) -> tuple[str, ...]:
    """Returns patterns for metrics by name, or as texts `NAME=PATTERN`."""
    if isinstance(value, Mapping):
        return tuple(f"{text(name, one)}={text(name, pattern)}" for one, pattern in value.items())
    return texts(name, value)


def values(name: str, value: object) -> Mapping[str, Any]:
    """Flags by name."""
    if not isinstance(value, Mapping):
        refuse(name, "names with values", value, 'for example {"lr": 0.1}; gitrun.parse_flags reads words such as lr=0.1')
    for one in value:
        if not isinstance(one, str):
            refuse(name, "names that are text", one)
    return value


def named(name: str, value: object) -> str:
    """A run: itself, its number in the list, or any of its names."""
    if isinstance(value, Run):
        return value.id
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else refuse(name, "a run, its name or its number in the list", value)


def duration(name: str, value: object) -> float:
    """Seconds, or a duration as a person writes it."""
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < (number := float(value)) < LONGEST:
        return number
    return refuse(name, "seconds", value, 'for example 30 or "1h30m"')


def only_there(name: str, value: object) -> bool:
    """False: what only the command line does."""
    if truth(name, value):
        raise UsageError(f"{name} is for the command line", "a run in another thread goes on beside this one")
    return False


def whole(name: str, value: object) -> int:
    """A whole number."""
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
