"""Flags of absl, read from the text of a program."""

from __future__ import annotations

import pytest
from script_text import kinds, read

from gitrun.model.flags import Typed
from gitrun.scripts.discover import argument_words, read_words


def test_defaults_of_absl_tyro_and_fire_are_those_of_the_source() -> None:
    absl = "from absl import flags\nflags.DEFINE_float('lr', '0.5', 'rate', upper_bound=1)\n"
    absl += "flags.DEFINE_multi_string('s', 'a', '')\n"
    assert kinds(read(absl)) == {"lr": (0.5, "float"), "s": (["a"], "list")}
    tyro = "import tyro\nclass B:\n    x: int = 1\nclass C(B):\n    y: 'float | None' = None\n    z: B = B(x=4)\ntyro.cli(C)\n"
    assert kinds(read(tyro)) == {"x": (1, "int"), "y": (None, "float"), "z.x": (4, "int")}
    fire = "import fire\nclass T:\n    def __init__(self, a=1): ...\n    def fit(self, lr=0.1): ...\nfire.Fire(T)\n"
    assert list(kinds(read(fire).chosen(["fit"]))) == ["a", "lr"]


def test_configuration_of_ml_collections_may_have_more_flags() -> None:
    start = "from absl import flags\nfrom ml_collections import config_flags\nflags.DEFINE_float('lr', 0.5, '')\n"
    file = read(start + "config_flags.DEFINE_config_file('config', 'base.py')\n")
    assert (kinds(file), bool(file.partial)) == ({"lr": (0.5, "float"), "config": ("base.py", "str")}, True)
    nested = read(start + "config_flags.DEFINE_config_dict('config', CONFIG)\n")
    assert (kinds(nested), bool(nested.partial)) == ({"lr": (0.5, "float")}, True)


@pytest.mark.parametrize(
    ("imports", "flags"),
    [
        ("import tensorflow as tf", "tf.app.flags"),
        ("import tensorflow as tf", "tf.flags"),
        ("import tensorflow.compat.v1 as tf", "tf.flags"),
        ("from tensorflow.compat import v1", "v1.app.flags"),
        ("import tensorflow", "tensorflow.compat.v1.flags"),
        ("from tensorflow.python.platform import flags", "flags"),
    ],
)
def test_flags_of_tensorflow_are_those_of_absl(imports, flags) -> None:
    direct = read(f"{imports}\n{flags}.DEFINE_float('lr', 0.5, 'rate')\n")
    assert (direct.frontend, kinds(direct)) == ("absl", {"lr": (0.5, "float")})
    named = read(f"{imports}\nf = {flags}\nf.DEFINE_bool('fast', True, '')\n")
    assert (named.frontend, kinds(named)) == ("absl", {"fast": (True, "bool")})


def test_flags_of_another_library_are_not_those_of_absl() -> None:
    define = "flags.DEFINE_float('lr', 0.5, 'rate')\n"
    assert read(f"import gflags as flags\nimport tensorflow as tf\n{define}").frontend != "absl"
    assert read(f"import tensorflow as tf\nfrom mine import flags\n{define}").frontend != "absl"


@pytest.mark.parametrize(
    ("words", "flags", "command"),
    [
        # absl refuses --config.lr in front of --config
        (["--config=c.py", "--config.lr=0.5"], {"config": "c.py", "config.lr": "0.5"}, ["--config=c.py", "--config.lr=0.5"]),
        (["--config.lr", "3", "--config=c.py"], {"config": "c.py"}, ["--config=c.py", "--config.lr", "3"]),
        (["--config=c.py", "--config.m.ema"], {"config": "c.py"}, ["--config=c.py", "--config.m.ema"]),
        (["--config=c.py", "-config.n=4"], {"config": "c.py", "config.n": "4"}, ["--config=c.py", "--config.n=4"]),
        (["--other.n=4"], {}, ["--other.n=4"]),
    ],
)
def test_values_of_a_configuration_follow_its_file(words: list[str], flags: dict[str, str], command: list[str]) -> None:
    source = "from absl import app, flags\nfrom ml_collections import config_flags\n"
    script = read(f"{source}config_flags.DEFINE_config_file('config', None, 'its settings')\napp.run(main)")
    given = read_words(script, words)
    texts = {name: value.text if isinstance(value, Typed) else value for name, value in given.flags.items()}
    assert texts == flags
    assert argument_words(script, flags, given.rest) == command
