"""Options of docopt, read from the usage text of a program."""

from __future__ import annotations

from script_text import kinds, read

USAGE = '''"""Trains.

Usage:
  tool.py [options] [--fast] <file>

Options:
  -l X, --lr=<x>  Learning rate [default: 0.1].
  --name=NAME     Of the run.
  --loud          Be loud.
"""
'''
CALL = "from docopt import docopt\nprint(docopt(__doc__))\n"


def test_described_options_have_their_defaults() -> None:
    flags = {flag.name: flag.default for flag in read(USAGE + CALL).flags}
    assert flags == {"fast": False, "lr": 0.1, "name": None, "loud": False}


def test_arguments_are_advised_as_words() -> None:
    assert read(USAGE + CALL).advice == "To pass its arguments: git run tool.py -- FILE"


def test_a_usage_text_from_elsewhere_is_partial() -> None:
    script = read("from docopt import docopt\nfrom lib import TEXT\ndocopt(TEXT)\n")
    assert (kinds(script), script.partial) == ({}, "docopt is given a text that is not in its source")


def test_docopt_that_is_not_called_leaves_the_constants() -> None:
    assert kinds(read(f"{USAGE}N = 3\nimport docopt\n")) == {"N": (3, "number")}
