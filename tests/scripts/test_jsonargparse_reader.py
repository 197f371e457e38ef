"""Options of jsonargparse and of Lightning, read from the text of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from script_text import kinds, read

from gitrun.errors import UsageError
from gitrun.model.flags import default_values, resolve_flags
from gitrun.scripts.discover import argument_words

if TYPE_CHECKING:
    from gitrun.model.flags import Value


def test_a_value_outside_the_choices_is_refused() -> None:
    script = read(
        "import jsonargparse\nfrom typing import Literal\ndef f(m: Literal['a', 'b'] = 'a'): ...\njsonargparse.CLI(f)\n"
    )
    with pytest.raises(UsageError, match="must be one of a, b, not 'c'"):
        resolve_flags(script.flags, {"m": "c"}, operation="tool.py")


@pytest.mark.parametrize(
    "line", ["from jsonargparse import CLI", "from jsonargparse.cli import CLI", "from jsonargparse import auto_cli as CLI"]
)
def test_parameters_are_flags_wherever_a_release_has_its_function(line: str) -> None:
    script = read(f"{line}\ndef setup(lr: float = 0.1): ...\nCLI(setup)\n")
    assert default_values(script.flags) == {"lr": 0.1}


LIGHTNING = """
from lightning.pytorch.cli import LightningCLI
from net import Net
class Data:
    def __init__(self, batch_size: int = 32): ...
"""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("def main():\n    cli = LightningCLI(Net, Data)", ["fit"]),
        ("class Own(LightningCLI): ...\nOwn(model_class=Net, datamodule_class=Data)", ["test"]),
        ("LightningCLI(Net, Data, run=False)", []),
    ],
)
def test_parameters_of_model_and_data_are_flags_of_lightning(call: str, words: list[str]) -> None:
    script = read(LIGHTNING + call, net="class Net:\n    def __init__(self, lr: float = 0.1, **more): ...\n").chosen(words)
    assert kinds(script) == {"model.lr": (0.1, "float"), "data.batch_size": (32, "int")}
    assert "Trainer" in script.partial
    given: dict[str, Value] = {**default_values(script.flags), "model.lr": 0.5, "trainer.max_epochs": 3}
    assert argument_words(script, given, words) == [*words, "--model.lr=0.5", "--trainer.max_epochs=3"]
