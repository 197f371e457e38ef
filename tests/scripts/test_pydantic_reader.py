"""Settings of pydantic, read from the text of a program."""

from __future__ import annotations

import pytest
from script_text import kinds, read

from gitrun.scripts.discover import argument_words


@pytest.mark.parametrize(
    "source",
    [
        "class S(BaseSettings, cli_parse_args=True):\n    lr: float = 0.1\nS()",
        "class S(BaseSettings):\n    model_config = {'cli_parse_args': True}\n    lr: float = 0.1\nS()",
        "class S(BaseSettings):\n    lr: float = 0.1\nS(_cli_parse_args=True)",
        "from pydantic_settings import CliApp\nclass S(BaseSettings):\n    lr: float = 0.1\nCliApp.run(S)",
        "class A(BaseSettings): ...\nclass S(A, cli_parse_args=True):\n    lr: float = 0.1\nS()",
    ],
)
def test_settings_that_parse_the_command_line_have_flags(source: str) -> None:
    script = read("from pydantic_settings import BaseSettings\n" + source)
    assert (script.style, kinds(script), script.advice) == ("args", {"lr": (None, "float")}, "")
    assert argument_words(script, {"lr": -0.5}) == ["--lr=-0.5"]


def test_settings_of_the_environment_leave_the_constants_and_say_what_works() -> None:
    source = "from pydantic_settings import BaseSettings\nN = 3\nclass S(BaseSettings):\n    lr: float = 0.1\nS()"
    script = read(source)
    assert (script.style, kinds(script)) == ("globals", {"N": (3, "number")})
    assert "from the environment. To set one: NAME=VALUE git run tool.py" in script.advice
