"""The values of `range[a:b:step]`, `linspace[a:b:n]` and `logspace[a:b:n:base]`.

Computed exactly from the digits typed: `range[0:0.3:0.1]` ends with 0.3, which binary arithmetic misses.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

from gitrun.errors import BadValue
from gitrun.model.values import format_value, parse_value

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_VALUES = 1_000_000
"""Most values of one list."""
_USAGE = {"range": "range[1:9:2]", "linspace": "linspace[0:1:5]", "logspace": "logspace[-4:-1:4]"}
_SIZES = {"range": (2, 3), "linspace": (3, 3), "logspace": (3, 4)}
_LARGEST = 308
"""Largest exponent of ten of a float."""


def compute_sequence(label: str, function: str, texts: Sequence[str]) -> list[int | float]:
    """Returns the values of a function of numbers given as text: whole numbers if all of them are, else floats.

    `label` is the function as a message shows it, such as `lr=range[5:1]`. Raises BadValue.
    """
    least, most = _SIZES[function]
    if not least <= len(texts) <= most:
        raise BadValue(f"{label} needs {least}{f' or {most}' * (most > least)} numbers", f"For example: {_USAGE[function]}")
    numbers = [parse_number(label, text) for text in texts]
    exact = [to_fraction(number, text) for number, text in zip(numbers, texts, strict=True)]
    if function == "range":
        values = _range_values(label, exact)
    else:
        values = _spaced_values(label, exact[0], exact[1], _read_count(label, numbers[2]))
    is_whole = all(isinstance(number, int) for number in numbers)
    if function == "logspace":
        return _powers(label, values, exact[3] if len(exact) > 3 else Fraction(10), whole=is_whole)
    return plain_numbers(values, whole=is_whole)


def parse_number(label: str, text: str) -> int | float:
    """Returns a finite number from its text. Raises BadValue."""
    number = parse_value(text.strip())
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise BadValue(f"{label}: {text.strip()!r} is not a number", keep_as_text(label))
    if isinstance(number, float) and not math.isfinite(number):
        raise BadValue(f"{label}: {text.strip()} is not finite")
    return number


def keep_as_text(label: str) -> str:
    """Returns the hint that tells how to give what looks like an expression as text."""
    name, _, text = label.partition("=")
    return f"""To give it as text: {name}="'{text}'\""""


def to_fraction(number: float, text: str) -> Fraction:
    """Returns exactly the number that the text stands for."""
    # 1e-999999 is 0 as a float, and would be a fraction of a million digits
    return Fraction(Decimal(text.strip())) if number else Fraction(0)


def plain_numbers(values: Sequence[Fraction], *, whole: bool) -> list[int | float]:
    """Returns exact values as whole numbers if all are and `whole` is set, else as floats."""
    if whole and all(value.denominator == 1 for value in values):
        return [int(value) for value in values]
    return [float(value) for value in values]


def _range_values(label: str, numbers: Sequence[Fraction]) -> list[Fraction]:
    first, last = numbers[:2]
    step = numbers[2] if len(numbers) > 2 else Fraction(1)
    start = f"{label.partition('[')[0]}[{decimal_text(first)}"
    if step == 0:
        raise BadValue(f"the step of {label} is 0", f"To count by 1: {start}:{decimal_text(last)}]")
    steps, rest = divmod(last - first, step)
    if steps < 0:
        way = "down" if step > 0 else "up"
        raise BadValue(f"{label} has no values", f"To count {way}: {start}:{decimal_text(last)}:{decimal_text(-step)}]")
    require_few(label, steps + 1)
    if rest:
        end = decimal_text(first + steps * step)
        stepped = f":{decimal_text(step)}" if step != 1 else ""
        raise BadValue(
            f"{label} does not reach {decimal_text(last)}: its last value is {end}",
            f"To end there: {start}:{end}{stepped}]",
        )
    return [first + index * step for index in range(steps + 1)]


def _read_count(label: str, number: float) -> int:
    if not isinstance(number, int) or number < 1:
        raise BadValue(f"{label}: the number of values must be a whole number above 0, not {format_value(number)}")
    require_few(label, number)
    return number


def require_few(label: str, count: int) -> None:
    """Raises BadValue for more values than one list can have."""
    if count > MOST_VALUES:
        name = label.partition("=")[0]
        raise BadValue(
            f"{label} has {count:,} values; the most is {MOST_VALUES:,}", f"To search in a range instead: {name}=[LOW:HIGH]"
        )


def _spaced_values(label: str, first: Fraction, last: Fraction, count: int) -> list[Fraction]:
    if count == 1 and first != last:
        raise BadValue(f"{label}: one value cannot be both {decimal_text(first)} and {decimal_text(last)}")
    return [first + (last - first) * index / max(count - 1, 1) for index in range(count)]


def _powers(label: str, exponents: Sequence[Fraction], base: Fraction, *, whole: bool) -> list[int | float]:
    if base <= 0:
        raise BadValue(f"{label}: the base must be above 0, not {decimal_text(base)}")
    size = max(abs(exponents[0]), abs(exponents[-1])) * Fraction(abs(math.log10(base)))
    if size > _LARGEST:
        raise BadValue(f"{label}: its values are too large or too small", "For example: logspace[-4:-1:4]")
    if all(exponent.denominator == 1 for exponent in exponents):
        return plain_numbers([Fraction(base ** int(exponent)) for exponent in exponents], whole=whole)
    # not math.pow, whose last digit depends on the machine
    with localcontext() as context:
        context.prec = 40
        root = (Decimal(base.numerator) / Decimal(base.denominator)).ln()
        return [float((root * Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp()) for exponent in exponents]


def decimal_text(number: Fraction) -> str:
    """Returns the digits of a number that has finitely many, else those of the nearest float."""
    if number.denominator == 1:
        return str(number.numerator)
    text = repr(float(number))
    if Fraction(Decimal(text)) == number:
        return text
    with localcontext() as context:
        context.prec = 400
        decimal = Decimal(number.numerator) / Decimal(number.denominator)
    return str(decimal) if Fraction(decimal) == number else text
