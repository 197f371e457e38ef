"""Configurations of Sacred, read from the text of a program."""

from __future__ import annotations

from script_text import kinds, read


def test_sacred_that_is_run_by_the_program_itself_leaves_the_constants() -> None:
    source = "from sacred import Experiment\nex = Experiment()\nN = 3\n@ex.config\ndef c():\n    lr = 1\n"
    assert kinds(read(source + "ex.run(config_updates={'lr': 2})")) == {"N": (3, "number")}
    assert kinds(read(source + "@ex.automain\ndef main(lr): ...")) == {"lr": (1, "number"), "seed": (None, "int")}


START = "from sacred import Experiment, Ingredient\n"
MAIN = "ex = Experiment('e')\n{}@ex.automain\ndef main(): ...\n"


def config(body: str, owner: str = "ex") -> str:
    return f"@{owner}.config\ndef _():\n    {body}\n"


def test_values_that_a_configuration_computes_have_no_known_default() -> None:
    body = "who = 'me'\n    text = 'Hi {}'.format(who)\n    n = len([i for i in who])\n    _x = n\n    a, b = divmod(n, 2)"
    assert kinds(read(START + MAIN.format(config(body)))) == {
        "who": ("me", "str"), "text": (None, "any"), "n": (None, "any"), "a": (None, "any"), "b": (None, "any"),
        "seed": (None, "int"),
    }  # fmt: skip


def test_of_two_configurations_the_later_one_counts() -> None:
    two = config("lr = 1\n    n = 1") + config("lr = 2\n    n = f()")
    assert kinds(read(START + MAIN.format(two))) == {"lr": (2, "number"), "n": (None, "any"), "seed": (None, "int")}


def test_flags_of_an_ingredient_begin_with_its_path() -> None:
    parts = (
        "d = Ingredient('data')\np = Ingredient(path='data.paths')\n" + config("file = 'x'", "d") + config("base = '/'", "p")
    )
    parts += "d.add_config(opt={'k': 1})\nex = Experiment('e', ingredients=[d, p])\n" + config("lr = 1")
    script = read(START + parts + "@ex.automain\ndef main(): ...\n")
    assert (kinds(script), script.partial) == (
        {
            "data.file": ("x", "str"), "data.paths.base": ("/", "str"), "data.opt.k": (1, "number"), "lr": (1, "number"),
            "data.seed": (None, "int"), "data.paths.seed": (None, "int"), "seed": (None, "int"),
        },
        "",
    )  # fmt: skip


def test_ingredients_of_another_file_leave_the_flags_open() -> None:
    script = read(
        "from sacred import Experiment\nfrom data import d\nex = Experiment('e', ingredients=[d])\n@ex.automain\ndef f(): ...\n"
    )
    assert script.partial == "its ingredients have more flags"
