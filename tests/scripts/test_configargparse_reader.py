"""Defaults of ConfigArgParse, from its files."""

from __future__ import annotations

import pytest
from script_text import kinds, read

CONFIGARGPARSE = """
import configargparse
p = configargparse.ArgParser({})
p.add("-c", "--conf", is_config_file=True)
p.add("--lr", type=float, default=0.1, required=True)
p.add_argument("--n", env_var="N", default=1)
p.parse_args()
"""


@pytest.mark.parametrize(
    ("told", "file", "expected"),
    [
        ("", "", {"lr": 0.1, "n": None}),
        ("default_config_files=['a.py']", "lr = 0.5\nn = 3\n", {"lr": 0.5, "n": None}),
        ("default_config_files=['a.py']", "[section]\n# lr = 1\nlr: 7 # rate\n", {"lr": 7, "n": None}),
        ("default_config_files=['~/.a', 'a.py']", "lr = 0.5\n", {"lr": None, "n": None}),
        ("default_config_files=['conf/*.ini']", "", {"lr": None, "n": None}),
        ("auto_env_var_prefix='A_'", "", {"lr": None, "n": None}),
        ("config_file_parser_class=configargparse.YAMLConfigFileParser", "", {"lr": None, "n": None}),
    ],
)
def test_defaults_of_configargparse_are_those_that_the_program_has(told: str, file: str, expected: dict[str, object]) -> None:
    script = read(CONFIGARGPARSE.format(told), a=file)
    assert {name: default for name, (default, _) in kinds(script).items() if name != "conf"} == expected
    assert not any(flag.required for flag in script.flags)
    assert {flag.default for flag in script.chosen(values={"conf": "b.ini"}).flags} == {None}
    assert {flag.default for flag in script.chosen(["--conf", "b.ini"]).flags} == {None}
