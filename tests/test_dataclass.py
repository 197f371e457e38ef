"""Values of gitrun behave like the standard library's dataclasses, of which they save the imports and the compiling."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import Any, ClassVar

import pytest

from gitrun import dataclass as ours


def classes(module: Any) -> Any:
    """The same classes, made by the standard library or by gitrun."""

    @module.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        KIND: ClassVar[str] = "point"
        marks: list[int] = module.field(default_factory=list)
        note: str = module.field(default="", compare=False)

        @property
        def total(self) -> int:
            return self.x + self.y

    @module.dataclass(frozen=True, slots=True)
    class Deep(Point):
        z: float = 0.0

    @module.dataclass(slots=True)
    class Counter:
        count: int = 0

        def __post_init__(self) -> None:
            self.count += 1

    @module.dataclass(eq=False, slots=True)
    class Handle:
        name: str

    @module.dataclass(frozen=True)
    class Loose:
        name: str = "a"

    return Point, Deep, Counter, Handle, Loose


OURS, STANDARD = classes(ours), classes(dataclasses)
POINT, DEEP, COUNTER, HANDLE, LOOSE = range(5)
CALLS: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = [
    (POINT, (1,), {}),
    (POINT, (1, 3, [4], "n"), {}),
    (POINT, (), {"x": 1, "note": "n"}),
    (POINT, (), {}),
    (POINT, (1, 2, [], "n", 5), {}),
    (POINT, (1,), {"x": 1}),
    (POINT, (1,), {"w": 1}),
    (DEEP, (1,), {"z": 0.5}),
    (COUNTER, (), {}),
    (COUNTER, (4,), {}),
    (HANDLE, ("a",), {}),
    (LOOSE, (), {}),
]


def outcome(call: Any) -> object:
    try:
        return repr(call())
    except TypeError:
        return TypeError


@pytest.mark.parametrize(("kind", "values", "named"), CALLS)
def test_values_are_made_as_the_standard_library_makes_them(kind, values, named):
    expected = outcome(lambda: STANDARD[kind](*values, **named))
    fresh = classes(ours)[kind]
    # the first values are made without a compiled __init__, later ones with it
    assert [outcome(lambda: fresh(*values, **named)) for _ in range(3 * ours.FEW)] == [expected] * 3 * ours.FEW


def test_equal_values_are_equal_and_have_equal_hashes():
    for point, _, counter, handle, loose in (OURS, STANDARD):
        assert point(1, note="a") == point(1, note="b") != point(2)
        assert loose("b") == loose("b")
        assert hash(loose("b")) == hash(loose("b")) == hash(("b",))
        assert counter(1) == counter(1) != loose("b")
        assert handle("a") != handle("a")
        assert hash(handle("a"))
        with pytest.raises(TypeError):
            hash(counter(1))
    nan = float("nan")
    assert OURS[LOOSE](nan) == OURS[LOOSE](nan)  # as values in a tuple are: the same object is equal to itself


def test_frozen_values_cannot_be_changed():
    for point, _, counter, _, loose in (OURS, STANDARD):
        for value, name in ((point(1), "x"), (point(1), "other"), (loose(), "name")):
            with pytest.raises((FrozenInstanceError, TypeError)):
                setattr(value, name, 1)
        with pytest.raises(FrozenInstanceError):
            del loose().name
        value = counter()
        value.count = 5
        assert value.count == 5
        with pytest.raises(AttributeError):
            value.other = 1


def test_standard_functions_read_values_of_gitrun():
    point = OURS[POINT](1, marks=[3])
    assert dataclasses.is_dataclass(point)
    assert dataclasses.asdict(point) == ours.asdict(point) == {"x": 1, "y": 2, "marks": [3], "note": ""}
    assert dataclasses.replace(point, x=2) == ours.replace(point, x=2) == OURS[POINT](2, marks=[3])
    assert [field.name for field in dataclasses.fields(OURS[DEEP])] == ["x", "y", "marks", "note", "z"]
    assert OURS[POINT].__match_args__ == STANDARD[POINT].__match_args__
    assert OURS[POINT].KIND == "point"
    assert point.total == 3


def test_values_of_gitrun_can_be_pickled():
    from gitrun.model.flags import Flags, Typed
    from gitrun.model.run import Notes

    for value in (Typed("0.1"), Notes(label="best"), Flags({"lr": 0.1})):
        assert pickle.loads(pickle.dumps(value)) == value


def test_defining_values_imports_nothing_long():
    long = "{'dataclasses', 'inspect', 'typing'}"
    words = f"import sys; sys.path[:] = sys.argv; import gitrun.dataclass; print({long} & {{*sys.modules}})"
    ended = subprocess.run([sys.executable, "-S", "-c", words, *sys.path], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
