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


def test_a_file_gives_an_option_by_any_of_its_spellings() -> None:
    source = """
import configargparse
p = configargparse.ArgParser(default_config_files=['a.py'])
p.add("--amp", action="store_true")
p.add("--no-amp", dest="amp", action="store_false")
p.add("--no-shuffle", action="store_false")
p.add("--no_aux", dest="aux", action="store_false")
p.add("--wd", "--weight_decay", type=float, default=1.0)
p.add("--fast", dest="speed", action="store_const", const=3, default=1)
p.parse_args()
"""
    names = {"amp": False, "no-shuffle": True, "aux": True, "wd": 1.0, "speed": 1}
    assert {flag.name: flag.default for flag in read(source, a="").flags} == names
    file = "amp=false\nno-shuffle=true\nno_aux=yes\nweight_decay=3\nfast=true\n"
    # read by configargparse 1.7
    assert {flag.name: flag.default for flag in read(source, a=file).flags} == {
        "amp": False, "no-shuffle": False, "aux": False, "wd": 3, "speed": 3,
    }  # fmt: skip
