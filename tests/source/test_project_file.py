"""gitrun.toml: every key, good and bad; errors name line and key; the schema in the package says the same as the reader."""

from __future__ import annotations

import json

import pytest
import tomli
from jsonschema import Draft202012Validator

from gitrun.commands.install_docs import SHARE
from gitrun.errors import UsageError
from gitrun.model.entry import Definition
from gitrun.source.project_file import read_definitions, read_entries

SCHEMA = json.loads((SHARE / "gitrun.schema.json").read_text())
SHA256 = "0123456789abcdef" * 4


def one(body: str) -> Definition:
    """The entry of a file whose entry `a` has these lines."""
    return read_definitions(f"[operations.a]\n{body}\n".encode(), "gitrun.toml")["a"]


GOOD = [
    'script = "a.py"', 'script = "tools/run.sh"', 'notebook = "eda.ipynb"', 'command = "make"', 'command = ["./a", "{lr}"]',
    'steps = ["b", "c.py"]', 'script = "a.py"\nflags = "import"', 'script = "a.py"\nflags-to = "file:conf/a.yaml"',
    'script = "a.py"\nstop-after = 1.5', 'script = "a.py"\nstop-after = ".5h"', 'script = "a.py"\nstop-after = "2H"',
    'script = "a.py"\nresolve = "always"\nneeds = { b = "x" }',
    'script = "a.py"\n[operations.a.flags]\n"é.a/b-c" = [1, "x", [true]]',
    'script = "a.py"\nflags.x = {}', 'script = "a.py"\nflags.x = { choices = [1, 2] }', 'script = "a.py"\nlink = []',
    'script = "a.py"\nflags-to = "file:a..b.toml"', 'script = "..a/b.py"',
    'steps = ["b"]\nstop-after = 3\nflags.lr = 1\ndescription = "x"',
    'script = "a.py"\nflags.x = { default = [1, 2], type = "list" }',
    'script = "a.py"\nflags.x = { default = 1, type = "float" }',
    'script = "a.py"\nflags.x = { when = { opt = ["sgd", true], n = 1 } }',
]  # fmt: skip
BAD = {
    "": "operations.a needs one of script, command, notebook, steps",
    'script = "a.py"\ncommand = "b"': "operations.a needs one of script, command, notebook, steps (only one)",
    "script = 1": "operations.a.script must be text, not 1",
    'script = ""': "operations.a.script must be text, not ''",
    'script = "/a.py"': "operations.a.script must be a path inside the repository, not '/a.py'",
    'script = "b/../../a.py"': "operations.a.script must be a path inside the repository",
    'script = "~/a.py"': "operations.a.script must be a path inside the repository",
    'script = "./"': "operations.a.script must be a path inside the repository",
    "command = []": "operations.a.command needs at least one text",
    'command = "cat model.txt"': "operations.a.command must be a list of words, not one text",
    'command = "a | b"': "operations.a.command must be a list of words, not one text",
    "command = \"say 'it\"": "operations.a.command must be a list of words, not one text",
    'command = ["a", 1]': "operations.a.command must be text, not 1",
    'command = "a\\u0000"': "operations.a.command must be text, not ",
    "steps = []": "operations.a.steps needs at least one step",
    "steps = [1]": "operations.a.steps must be a table, not 1",
    "steps = [{ flags = {} }]": "operations.a.steps must be a step with the key run",
    'steps = [{ run = "b", flag = 1 }]': "operations.a.steps.flag is unknown",
    'steps = ["b"]\nenv = {}': "operations.a.env is unknown",
    'steps = ["b"]\nflags = "import"': "operations.a.flags must be a table, not 'import'",
    'script = "a.py"\nflags-to = "stdin"': "operations.a.flags-to must be globals, args, env or file:PATH, not 'stdin'",
    'script = "a.py"\nflags-to = "file:a.txt"': "operations.a.flags-to must be a toml, yaml, json or ini file, not 'a.txt'",
    'script = "a.py"\nflags-to = "file:../a.toml"': "operations.a.flags-to must be a path inside the repository",
    'script = "a.py"\nflags-to = "file:"': "operations.a.flags-to must be globals, args, env or file:PATH, not 'file:'",
    'script = "a.py"\nflags = "ask"': "operations.a.flags must be a table, not 'ask'",
    'script = "a.py"\nflags.x = 2026-01-01': "operations.a.flags.x must be a number, text, true, false or a list of these",
    'script = "a.py"\nflags."1x" = 1': "operations.a.flags.1x cannot be the name of a flag",
    'script = "a.py"\nflags.x = { value = 1 }': "operations.a.flags.x.value is unknown",
    'script = "a.py"\nflags.x = { type = "integer" }': "operations.a.flags.x.type must be one of any, number, int, float, str",
    'script = "a.py"\nflags.x = { min = "1" }': "operations.a.flags.x.min must be a number, not '1'",
    'script = "a.py"\nflags.x = { max = true }': "operations.a.flags.x.max must be a number, not true",
    'script = "a.py"\nflags.x = { choices = "a" }': "operations.a.flags.x.choices must be a list, not 'a'",
    'script = "a.py"\nflags.x = { choices = [] }': "operations.a.flags.x.choices needs at least one choice",
    'script = "a.py"\nflags.x = { required = 1 }': "operations.a.flags.x.required must be true or false, not 1",
    'script = "a.py"\nflags.x = { help = 1 }': "operations.a.flags.x.help must be text, not 1",
    'script = "a.py"\nflags.x = { when = "y" }': "operations.a.flags.x.when must be a table, not 'y'",
    'script = "a.py"\nflags.x = { when = { y = [] } }': "operations.a.flags.x.when.y needs at least one value",
    'script = "a.py"\nflags.x = { when = { y = { z = 1 } } }': "operations.a.flags.x.when.y must be a number, text, true",
    'script = "a.py"\nflags.x = { when = { 1y = 1 } }': "operations.a.flags.x.when.1y must be the name of another flag",
    'script = "a.py"\nneeds = "b"': "operations.a.needs must be a table, not 'b'",
    'script = "a.py"\nneeds.b = []': "operations.a.needs.b needs at least one text",
    'script = "a.py"\nneeds.b = { resolve = "always" }': "operations.a.needs.b needs the key files",
    'script = "a.py"\nneeds.b = { files = "x", resolve = "never" }': "operations.a.needs.b.resolve must be one of once, always",
    'script = "a.py"\nresolve = true': "operations.a.resolve must be one of once, always, not true",
    'script = "a.py"\ninputs = "b"': "operations.a.inputs must be a list, not 'b'",
    'script = "a.py"\ninputs = ["../b"]': "operations.a.inputs must be a path inside the repository",
    f'script = "a.py"\ninputs = [{{ url = "ftp://a/b", sha256 = "{SHA256}" }}]': "operations.a.inputs.url must be an",
    'script = "a.py"\ninputs = [{ url = "https://a/b" }]': "operations.a.inputs needs sha256 beside url",
    f'script = "a.py"\ninputs = [{{ sha256 = "{SHA256}" }}]': "operations.a.inputs needs the key path",
    'script = "a.py"\ninputs = [{ path = "b", sha256 = "12" }]': "operations.a.inputs.sha256 must be 64 hexadecimal digits",
    f'script = "a.py"\ninputs = [{{ path = "/b", url = "https://a/b", sha256 = "{SHA256}" }}]': "operations.a.inputs.path",
    'script = "a.py"\noutputs = "b"': "operations.a.outputs must be a list, not 'b'",
    'script = "a.py"\noutputs = ["/b"]': "operations.a.outputs must be a path inside the repository",
    'script = "a.py"\nlink = [1]': "operations.a.link must be text, not 1",
    'script = "a.py"\nstop-after = "soon"': "operations.a.stop-after must be a duration such as 30s, 5m or 2h, not 'soon'",
    'script = "a.py"\nstop-after = 0': "operations.a.stop-after must be a duration",
    'script = "a.py"\nstop-after = true': "operations.a.stop-after must be a duration such as 30s, 5m or 2h, not true",
    'script = "a.py"\nenv.A = 1': "operations.a.env.A must be text, not 1",
    'script = "a.py"\nenv."A=B" = "1"': "operations.a.env.A=B cannot be the name of an environment variable",
    'script = "a.py"\ndescription = ["x"]': "operations.a.description must be text, not a list",
    'script = "a.py"\nmetrics = ["x"]': "operations.a.metrics must be a table, not a list",
    'script = "a.py"\nmetrics.x = 1': "operations.a.metrics.x must be text, not 1",
    'script = "a.py"\nflag.x = 1': "operations.a.flag is unknown",
}  # fmt: skip
BEYOND = {
    f'script = "a.py"\nflags.x = {{ max = 1{"0" * 331} }}': "operations.a.flags.x.max is too large",
    'script = "a.py"\nflags.x = { default = "c", choices = ["a"] }': "operations.a.flags.x.default is not one of the choices",
    'script = "a.py"\nflags.x = { default = "c", type = "int" }': "operations.a.flags.x.default must be a whole number",
    'script = "a.py"\nflags.x = { default = 0, min = 1 }': "operations.a.flags.x.default must be",
    'script = "a.py"\nflags.x = { min = 2, max = 1 }': "operations.a.flags.x.min is more than max, 1",
    'script = "a.py"\nflags.x = { min = 2, type = "str" }': "operations.a.flags.x.min is for numbers, and the type is str",
    'script = "a.py"\nflags.x = { when = { x = 1 } }': "operations.a.flags.x.when.x must be the name of another flag",
    'script = "a.py"\nmetrics.x = "("': "operations.a.metrics.x is not a regular expression: ",
    'script = "a.py"\nmetrics.x = "a"': "operations.a.metrics.x must have a group (...) for the number",
}
"""What no schema can say."""


@pytest.mark.parametrize("body", GOOD)
def test_what_is_good_reads_and_the_schema_says_so(body) -> None:
    assert one(body).name == "a"
    Draft202012Validator(SCHEMA).validate(tomli.loads(f"[operations.a]\n{body}"))


@pytest.mark.parametrize(("body", "said"), [*BAD.items(), *BEYOND.items()])
def test_what_is_bad_is_named(body, said) -> None:
    with pytest.raises(UsageError, match=r"^gitrun\.toml, line \d: ") as caught:
        one(body)
    assert caught.value.message.partition(": ")[2].startswith(said)
    assert caught.value.exit_code == 129


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat model.txt", '["cat", "model.txt"]'), ("./run --name 'a b'", '["./run", "--name", "a b"]'),
        ("sort a | uniq", '["sh", "-c", "sort a | uniq"]'), ('say "it', '["sh", "-c", "say \\"it"]'),
    ],
)  # fmt: skip
def test_a_command_line_in_one_text_is_shown_as_a_list_of_words(text, words) -> None:
    with pytest.raises(UsageError, match="must be a list of words, not one text") as caught:
        one(f"command = {json.dumps(text)}")
    assert caught.value.hint == f"For example: command = {words}"
    assert one(f"command = {words}").command == tuple(json.loads(words))


@pytest.mark.parametrize("body", BAD)
def test_schema_refuses_what_the_reader_refuses(body) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(tomli.loads(f"[operations.a]\n{body}"))


@pytest.mark.parametrize(
    "text",
    ["x = 1", "operations = 1", "[operations]\na = 1", '[operations."a=b"]\nscript = "a"', '[operations.-a]\nscript = "a"'],
)
def test_what_is_around_the_entries_is_looked_at_by_both(text) -> None:
    with pytest.raises(UsageError, match=r"^gitrun\.toml, line \d: "):
        read_definitions(text.encode(), "gitrun.toml")
    assert not Draft202012Validator(SCHEMA).is_valid(tomli.loads(text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[operations.a]\nscript = "a.py"\n\n[operations.a.flags]\nx = 1\ny = { type = "no" }\n', 6),
        ('# x\n[operations]\na = { script = "a.py", link = 1 }\n', 3),
        ('[operations.a]\nscript = "a.py"\n[[operations.a.inputs]]\npath = "b"\nsize = 1\n', 5),
        ('operations.a.script = "a.py"\noperations.a.link = 1\n', 2),
        ('[operations."b c"]\nscript = "a.py"\n\n[operations."b c".env]\nA = 1\n', 5),
        ('[operations.a]\r\nscript = "a.py"\r\nenvy = 1\r\n', 3),
        ('\ufeff[operations.a]\nscript = "a.py"\nenvy = 1\n', 3),
        ('[operations.a]\nscript = "a.py"\nflags-to = """\nargs\u2028args"""\nenvy = 1\n', 5),
        ('[operations.a]\nscript = "a.py"\nflags = { x = 1,\n y = { type = "no" } }\n', 3),
    ],
)
def test_line_is_that_of_the_key(text, line) -> None:
    with pytest.raises(UsageError) as caught:
        read_definitions(text.encode(), "gitrun.toml")
    assert caught.value.message.startswith(f"gitrun.toml, line {line}: ")


def test_table_of_pyproject_is_read_and_nothing_else_of_it() -> None:
    text = b'[project]\nname = "x"\nunknown = 1\n[tool.other]\nx = 1\n[tool.gitrun.operations.a]\nscript = "a.py"\n'
    assert list(read_definitions(text, "pyproject.toml")) == ["a"]
    assert read_definitions(b"[project\n", "pyproject.toml") == {}
    with pytest.raises(UsageError, match=r"^pyproject\.toml, line 2: tool\.gitrun\.operations\.a\.x is unknown"):
        read_definitions(b"[tool.gitrun.operations.a]\nx = 1\n", "pyproject.toml")
    with pytest.raises(UsageError, match=r"^pyproject\.toml is not TOML: "):
        read_definitions(b"[tool.gitrun\n", "pyproject.toml")
    assert read_definitions(b"tool = 'gitrun'", "pyproject.toml") == {}


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"[operations", b"#" * ((1 << 20) + 1), b"x = " + b"[" * 50_000, b".".join([b"a"] * 20_000) + b" = 1", b"\0"],
    ids=["not UTF-8", "cut", "huge", "deep", "dotted", "NUL"],
)  # fmt: skip
def test_hostile_file_is_one_line(data) -> None:
    with pytest.raises(UsageError, match=r"^gitrun\.toml is (not TOML|larger than 1 MiB)") as caught:
        read_definitions(data, "gitrun.toml")
    assert "\n" not in caught.value.message


def test_only_the_operation_that_is_asked_for_is_looked_at() -> None:
    data = b'[operations.a]\nscript = "a.py"\n[operations.b]\nbroken = 1\n'
    assert list(read_definitions(data, "gitrun.toml", "a")) == ["a"]
    assert read_definitions(data, "gitrun.toml", "c") == {}
    found = read_entries(data, "gitrun.toml")
    assert isinstance(found["a"], Definition)
    assert "line 4: operations.b.broken is unknown" in str(found["b"])
