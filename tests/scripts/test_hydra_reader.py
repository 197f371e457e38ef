"""Configurations of Hydra, read from their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from script_text import around, kinds

from gitrun.scripts.discover import argument_words, read_script

if TYPE_CHECKING:
    from gitrun.scripts.discover import Script


HYDRA = "import hydra\n@hydra.main(config_path='conf', config_name='c')\ndef main(cfg): ...\n"


def hydra(**files: str) -> Script:
    return read_script(
        HYDRA.encode(),
        "src/tool.py",
        around({f"src/conf/{name.replace('__', '/')}.yaml": text for name, text in files.items()}),
    )


def test_groups_of_hydra_are_choices_that_bring_their_own_flags() -> None:
    files = {
        "db__a": "host: x\nport: 1",
        "db__b": "url: u",
        "c": "defaults:\n  - db: a\n  - base\nlr: 1e-3\ndb:\n  port: 9",
        "base": "seed: 1",
    }
    script = hydra(**files)
    assert next(flag for flag in script.flags if flag.name == "db").choices == ("a", "b")
    assert kinds(script.chosen()) == {
        "db.host": ("x", "any"), "db.port": (9, "any"), "db": ("a", "any"), "seed": (1, "any"), "lr": (0.001, "any"),
    }  # fmt: skip
    assert "db.url" in kinds(script.chosen((), {"db": "b"}))


EXPERIMENT = {
    "exp__a": "# @package _global_\ndefaults:\n  - override /db: b\nepochs: 99",
    "exp__b": "# @package foo.bar\nlr: 1",
    "db__a": "host: x\ndefaults:\n  - kind: k",
    "db__b": "url: u",
    "db__kind__k": "n: 1",
}


def test_a_file_of_hydra_says_itself_where_its_values_stand_and_an_experiment_chooses_options() -> None:
    script = hydra(c="defaults:\n  - _self_\n  - db: a\n  - optional exp: null\nepochs: 10", **EXPERIMENT)
    plain = {"epochs": (10, "any"), "db": ("a", "any"), "exp": (None, "any")}
    a = {"db.host": ("x", "any"), "db/kind": ("k", "any"), "db.kind.n": (1, "any")}
    b = {"db.url": ("u", "any")}
    assert kinds(script.chosen()) == plain | a
    assert kinds(script.chosen((), {"exp": "a"})) == plain | b | {"epochs": (99, "any"), "db": ("b", "any")}
    assert kinds(script.chosen((), {"exp": "a", "db": "a"})) == plain | a | {"epochs": (99, "any"), "db": ("b", "any")}
    assert kinds(script.chosen((), {"exp": "b"})) == plain | a | {"foo.bar.lr": (1, "any")}
    assert script.partial == ""


def test_a_config_that_comes_after_an_experiment_has_the_last_word() -> None:
    script = hydra(c="defaults:\n  - exp: a\n  - _self_\nepochs: 10", **EXPERIMENT)
    assert kinds(script.chosen())["epochs"] == (10, "any")


def test_names_that_the_config_lacks_are_added_to_it() -> None:
    assert argument_words(hydra(c="lr: 1"), {"lr": 2, "new.x": "a b"}) == ["lr=2", "++new.x='a b'"]


def test_a_config_that_is_not_there_is_partial() -> None:
    script = hydra()
    assert (script.frontend, script.partial) == ("hydra", "its configuration c is not in the source")
    assert argument_words(script, {"lr": 2}) == ["lr=2"]


# examples/patterns/specializing_config and extending_configs of Hydra 1.3 have such files
FOLLOWING = {
    "c": "defaults:\n  - data: small\n  - model: net\n  - optional data_model: ${data}_${model}",
    "data__small": "path: s",
    "data__large": "path: l",
    "model__net": "layers: 7",
    "data_model__large_net": "# @package _global_\nmodel:\n  layers: 5",
}


def test_an_option_that_other_groups_decide_about_follows_them() -> None:
    script = hydra(**FOLLOWING)

    def layers(**values: str | None) -> object:
        chosen = kinds(script.chosen((), values))
        assert chosen["data_model"][0] is None
        return chosen["model.layers"][0]

    assert layers() == 7
    assert layers(data="large") == 5
    assert layers(data_model="large_net") == 5
    # nobody knows which option the program will take
    assert kinds(hydra(**FOLLOWING | {"c": FOLLOWING["c"].replace("${data}", "${env}")}).chosen())["model.layers"][0] is None


def test_a_later_group_overrides_an_earlier_one() -> None:
    files = {"a__x": "# @package _global_\nlr: 1\nn: 1", "b__y": "# @package _global_\nlr: 2"}
    chosen = kinds(hydra(c="defaults:\n  - a: x\n  - b: y\nn: 3", **files).chosen())
    assert (chosen["lr"][0], chosen["n"][0]) == (2, 3)


def test_a_file_can_put_another_in_its_own_package() -> None:
    files = {"db__my": "defaults:\n  - /base/sql@_here_\nport: 2", "base__sql": "port: 1\nhost: h"}
    chosen = kinds(hydra(c="defaults:\n  - db: my", **files).chosen())
    values = {name: default for name, (default, _) in chosen.items() if default is not None}
    assert values == {"db": "my", "db.port": 2, "db.host": "h"}
