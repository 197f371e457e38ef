"""The filter of the pages gives the answers of `git run list --where`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from filter_table import EXPRESSIONS, RUNS, UNREADABLE, moment_text

from gitrun.errors import FilterError
from gitrun.model.filters import look_up_value, names_in_filter, parse_filter

VIEW = Path(__file__).parents[3] / "gitrun" / "share" / "view"
SETUP = """
() => {
  const decode = value => Array.isArray(value) ? value.map(decode) : value?.number === undefined ? value
    : value.number in { nan: 1, inf: 1, '-inf': 1 } ? Number(value.number.replace('inf', 'Infinity')) : BigInt(value.number);
  window.answer = ({ expression, rows }) => {
    const { test } = gitrun.filter.parse(expression);
    const matches = test(name => row => decode(row[name]));
    return rows.map(row => matches(row));
  };
  window.fault = expression => {
    try { return gitrun.filter.parse(expression) && ''; } catch (error) { return [error.message, error.at]; }
  };
}
"""


@pytest.fixture(scope="module")
def sheet(chromium):
    """An empty page with the filter."""
    page = chromium.new_page()
    for name in ("text.js", "filter.js"):
        page.add_script_tag(path=VIEW / name)
    page.evaluate(SETUP)
    yield page
    page.close()


def encoded(value: object) -> object:
    """A value for JSON, with numbers that JSON or JavaScript cannot hold as objects."""
    value = moment_text(value)
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    return {"number": str(value)} if isinstance(value, int) and abs(value) >= 2**53 and not isinstance(value, bool) else value


def rows_for(names: list[str]) -> list[dict[str, object]]:
    """What the runs have under these names."""
    return [{name: encoded(look_up_value(run, name)) for name in names} for run in RUNS]


def test_there_are_many_expressions() -> None:
    assert len(set(EXPRESSIONS)) >= 600
    answers = [[parse_filter(expression)(run) for run in RUNS] for expression in EXPRESSIONS]
    assert sum(any(row) for row in answers) >= 300
    assert sum(not all(row) for row in answers) >= 300


def test_pages_filter_as_the_terminal_does(sheet) -> None:
    asked = [{"expression": expression, "rows": rows_for(names_in_filter(expression))} for expression in EXPRESSIONS]
    # as text, because playwright takes seconds for large values
    answers = json.loads(sheet.evaluate("text => JSON.stringify(JSON.parse(text).map(answer))", json.dumps(asked)))
    expected = [[parse_filter(expression)(run) for run in RUNS] for expression in EXPRESSIONS]

    assert [pair for pair in zip(EXPRESSIONS, answers, expected, strict=True) if pair[1] != pair[2]] == []


@pytest.mark.parametrize("expression", UNREADABLE, ids=range(len(UNREADABLE)))
def test_pages_refuse_what_the_terminal_refuses(sheet, expression) -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter(expression)
    place = len(refused.value.detail.splitlines()[1]) - 3
    message, at = sheet.evaluate("expression => fault(expression)", expression)

    assert message == refused.value.message
    # the terminal counts columns and the page characters
    assert at == place or not expression.isascii()


def test_nothing_is_not_less_than_a_number(sheet) -> None:
    assert sheet.evaluate("given => answer(given)", {"expression": "lr<0.1", "rows": [{"lr": None}, {"lr": 0.05}]}) == [
        False,
        True,
    ]
