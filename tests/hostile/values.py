# ruff: noqa: E501 - a case a line
"""More of the corpus: well-formed objects in whose files stands what no gitrun has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forms import asked_form

from gitrun.model.object_format import FORMATS

if TYPE_CHECKING:
    from corpus import Case, Forge

FORMAT = FORMATS[asked_form().objects]
ESC = "\\u001b]52;c;eA==\\u0007\\u202e"
HUGE = "9" * 400
SOURCES = {
    "an option for a tree": '[source]\ntree = "--all"\nbase = "--output=owned"\nbranch = "-D main"\n',
    "names for ids": '[source]\ntree = "HEAD"\nbase = "refs/heads/main"\n',
    "ids of nothing": f'[source]\ntree = "{"d" * FORMAT.digits}"\nbase = "{"e" * FORMAT.digits}"\n',
    "a path for a branch": '[source]\nbranch = "../../etc/passwd"\n',
    "left out, outside": '[[source.skipped]]\npath = "../../etc/passwd"\nsize = -1\nreason = "' + ESC + '"\n',
    "carried, outside": '[source]\ncarried = ["../../etc/passwd", "/etc/passwd", ".git/config"]\n',
    "submodules that are none": '[[source.submodules]]\npath = "../x"\ncommit = "--all"\n',
    "parameters of odd kinds": '[params]\nrandom_seed = "x"\ngpus = []\nmax_trials = 1e300\nopt_flags = 7\nforce_flags = "no"\n',
    "needs of odd kinds": '[basis]\nneeds = 1\ninputs = "x"\nparent = []\n[[needs]]\nrun = 1\n',
}
HEADS = {
    "an operation that is an option": b'operation = "--help"\nkind = "script"\ncommand = ["--exec=touch owned"]\n',
    "an operation that is a way out": b'operation = "../../etc/passwd"\nkind = "script"\ncommand = ["{python}", "../../etc/passwd"]\ncwd = "../.."\n',
    "a directory outside": b'operation = "a"\nkind = "command"\ncommand = ["touch", "owned"]\ncwd = "/"\n',
    "an operation of a megabyte": b'operation = "' + b"a" * 1_000_000 + b'"\n',
    "an operation of two lines": b'operation = "a\\nb"\nkind = "command"\ncommand = ["a\\nb"]\n',
    "no words to run": b'operation = "a"\nkind = "command"\ncommand = []\n',
    "braces to fill in": b'operation = "a"\nkind = "command"\ncommand = ["{x}", "{x.__class__}", "{0}", "{"]\n',
    "a kind of no kind": b'operation = "a"\nkind = "eval"\n',
    "ten thousand words": b'operation = "a"\nkind = "command"\ncommand = [' + b'"a",' * 10_000 + b"]\n",
}
FLAGS = {
    "ten thousand": "".join(f"k{number} = {number}\n" for number in range(10_000)),
    "a number of 400 digits": f"x = {HUGE}\n",
    "a date": "x = 1979-05-27T07:32:00Z\n",
    "a table": "[x]\ny = 1\n",
    "a list of lists": "x = " + "[" * 30 + "]" * 30 + "\n",
    "names that programs obey": '"--help" = 1\n"LD_PRELOAD" = "./owned.so"\n"PATH" = "."\n"__class__" = 1\n"a=b" = 1\n"" = 1\n',
    "no number": "x = nan\ny = inf\n",
    "a text of a megabyte": 'x = "' + "a" * 1_000_000 + '"\n',
}
RESULTS = {
    "files outside": "".join(
        f'[[files]]\npath = "{path}"\nsize = 1\nsha256 = "x"\nstored = "local"\n'
        for path in ("../../etc/passwd", "/etc/passwd", ".git/config", "a/../../b", "")
    ),
    "files of git-lfs": f'[[files]]\npath = "a"\nsize = 1\nsha256 = "{"../" * 12}etc/passwd"\nstored = "lfs"\n',
    "twenty thousand files": "".join(f'[[files]]\npath = "f{number}"\n' for number in range(20_000)),
    "files that are no tables": 'files = ["a", 1]\n',
    "metrics of odd kinds": '[metrics]\na = "x"\nb = [1]\nc = true\nd = nan\ne = inf\n',
    "a metric of 400 digits": f"[metrics]\na = {HUGE}\n",
    "metrics with escapes": f'[metrics]\n"{ESC}" = 1.0\n',
    "twenty thousand metrics": "[metrics]\n" + "".join(f"m{number} = 1.0\n" for number in range(20_000)),
}
ENDS = {
    "a status of no kind": 'status = "won"\n',
    "an exit status of 400 digits": f'status = "error"\nexit_status = {HUGE}\n',
    "a negative time": 'status = "completed"\nduration = -1e300\n',
    "no time at all": 'status = "completed"\nduration = nan\nstarted = 1\nstopped = "now"\n',
    "the end of time": 'status = "completed"\nstarted = 9999-12-31T23:59:59.999999-23:59\nstopped = 0001-01-01T00:00:00+23:59\n',
}  # fmt: skip
NOTES = {
    "a label of a megabyte": 'label = "' + "a" * 1_000_000 + '"\n',
    "ten thousand tags": "tags = [" + '"a",' * 10_000 + "]\n",
    "comments at the end of time": '[[comments]]\ntext = "x"\nauthor = "y"\ntime = 9999-12-31T23:59:59-23:59\n',
    "a label like an id": f'label = "{"a" * FORMAT.digits}"\n',
    "a label like a number": 'label = "1"\n',
    "a label that is an option": 'label = "--all"\n',
}
MESSAGES = {
    "two kinds": "x\n\nGitrun-Kind: attempt\nGitrun-Kind: attempt\nGitrun-Format: 1\n",
    "no subject": "\n\nGitrun-Kind: attempt\nGitrun-Format: 1\n",
}


def values(forge: Forge) -> dict[str, Case]:
    """Files of runs with what does not belong there."""
    from corpus import CREATED, RESULT, RUN, named, sourced, words

    first = forge.attempt()
    found = {
        f"run.toml: {name}": named(
            forge.attempt(run_toml=RUN + CREATED + text.encode()), sound="tree = " not in text and "carried" not in text
        )
        for name, text in SOURCES.items()
    }
    found |= {
        f"run.toml: {name}": named(forge.attempt(run_toml=b"format = 1\n" + CREATED + head), sound=True)
        for name, head in HEADS.items()
    }
    found |= {f"flags.toml: {name}": named(forge.attempt(flags_toml=text.encode()), sound=True) for name, text in FLAGS.items()}
    found |= {f"notes.toml: {name}": named(forge.attempt(notes_toml=text.encode()), sound=True) for name, text in NOTES.items()}
    for name, text in (*RESULTS.items(), *ENDS.items()):
        flags = f"name = {name!r}\n".encode()
        attempt = forge.attempt(flags_toml=flags)
        head = b"format = 1\n" if name in ENDS else RESULT
        folder = forge.records(run_toml=sourced(RUN + CREATED), flags_toml=flags, result_toml=head + text.encode())
        found[f"result.toml: {name}"] = made(attempt, forge.then("result", attempt, records=folder))
    folder = forge.tree([("40000", b".gitrun", forge.records(run_toml=sourced(RUN + CREATED)))])
    found |= {f"a message with {name}": named(forge.commit(folder, (), text), sound=True) for name, text in MESSAGES.items()}
    windows = words("attempt").replace("\n", "\r\n")
    found["a message with line ends of Windows"] = named(forge.commit(folder, (), windows))
    found["a message with a NUL"] = named(forge.commit(folder, (), words("attempt", "x\0y")), sound=True)
    return found | outputs(forge) | folders(forge, first)


def made(attempt: str, tip: str) -> Case:
    """A run that may be one."""
    from corpus import Case

    return Case(attempt, tip, sound=True)


def outputs(forge: Forge) -> dict[str, Case]:
    """What a run wrote, and its metrics by step."""
    from corpus import CREATED, RESULT, RUN, sourced

    contents = {
        "escapes": ("output", "\x1b]52;c;eA==\x07\x9b31m\u202e\x00\r\x08\x7f\n".encode() * 50),
        "no text": ("output", bytes(range(256)) * 20),
        "a line of a megabyte": ("output", b"x" * 1_000_000),
        "a hundred thousand lines": ("output", b"loss: 1\n" * 100_000),
        "metrics that are none": ("metrics_jsonl", b'{"a": 1\n[]\n7\n"x"\n{"step": "x", "a": {}}\n\xff\n'),
        "metrics with half characters": ("metrics_jsonl", b'{"step": 1, "\\ud800": 1.0, "\\u001b[2J": NaN}\n' * 20),
        "deep metrics": ("metrics_jsonl", b"[" * 100_000),
        "very many metrics": ("metrics_jsonl", b'{"step": 1, "loss": 1e999}\n' * 60_000),
    }
    found = {}
    for name, (file, data) in contents.items():
        flags = f"name = {name!r}\n".encode()
        attempt = forge.attempt(flags_toml=flags)
        folder = forge.records(run_toml=sourced(RUN + CREATED), flags_toml=flags, result_toml=RESULT, **{file: data})
        found[f"output: {name}"] = made(attempt, forge.then("result", attempt, records=folder))
    return found


def folders(forge: Forge, first: str) -> dict[str, Case]:
    """Makes files in `.gitrun`, and beside it, that should not be there."""
    from corpus import CREATED, RESULT, RUN, Case, named, sourced, words

    run, text = forge.blob(sourced(RUN + CREATED)), forge.blob(b"x\n")
    known = ("100644", b"run.toml", run)
    plain = forge.tree([known])
    result = ("100644", b"result.toml", forge.blob(RESULT))
    linked = forge.tree([("120000", b"output", forge.blob(b"/etc/passwd")), result, known])
    folder = forge.tree([("40000", b"output", forge.tree([])), result, known])
    named_so = {
        "-rf": b"-rf",
        "--output=owned": b"--output=owned",
        "a line end": b"a\nb",
        "no UTF-8": b"\xff\xfe",
        "a blank": b" ",
    }
    return {
        "an output that is a symlink": Case(first, forge.then("result", first, records=linked)),
        "an output that is a directory": Case(first, forge.then("result", first, records=folder)),
        "more in .gitrun": named(forge.attempt(records=forge.tree([("40000", b"more", forge.tree([("100755", b"x", text)])), known])), sound=True),
        "a table that may be executed": named(forge.attempt(records=forge.tree([("100755", b"run.toml", run)])), sound=True),
        ".gitrun twice": named(forge.commit(forge.tree([("40000", b".gitrun", plain), ("40000", b".gitrun", plain)]), (), words("attempt"))),
        ".GITRUN too": named(forge.attempt([("40000", b".GITRUN", plain)]), sound=True),
        "a .gitmodules that runs": named(forge.attempt([("100644", b".gitmodules", forge.blob(b'[submodule "x"]\npath = x\nurl = ext::touch owned\nupdate = !touch owned\n'))]), sound=True),
        "attributes of a megabyte": named(forge.attempt([("100644", b".gitattributes", forge.blob(b"* a=b\n" * 200_000))]), sound=True),
        "a gitrun.toml that cannot be read": named(forge.attempt([("100644", b"gitrun.toml", forge.blob(b"[" * 5000))]), sound=True),
        "a gitrun.toml that runs": named(forge.attempt([("100644", b"gitrun.toml", forge.blob(b'[operations.x]\ncommand = ["touch", "owned"]\nflags = "import"\n'))]), sound=True),
        **{f"a file called {name}": named(forge.attempt([("100644", path, text)]), sound=True) for name, path in named_so.items()},
    }  # fmt: skip
