"""git run --edit-flags: a sheet of flags to fill in."""

from __future__ import annotations

import json

import pytest
from offers import PROJECT


def editor(script: str) -> dict[str, str]:
    """The environment with an editor that edits by itself."""
    return {"GIT_EDITOR": f"sed -i -e '{script}'"}


def test_flags_are_edited_and_the_run_gets_what_was_saved(trained) -> None:
    trained.write("gitrun.toml", PROJECT)
    shown = trained.run("train", "--edit-flags", "--dry-run", env={"GIT_EDITOR": "cat"}).stdout
    assert '# learning rate (at least 0, at most 1)\nlr = 0.1\n# one of adam, sgd\nopt = "adam"\n# of all\nseed = 7\n' in shown
    done = trained.run("train.py", "--edit-flags", "opt=sgd", env=editor("s/lr = .*/lr = 0.5/"), check=True)
    assert done.stdout == "Namespace(lr=0.5, opt='sgd')\n"
    assert trained.run("--restart", "1", "--edit-flags", env=editor("s/sgd/adam/"), check=True).stdout.endswith("opt='adam')\n")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("d", "nothing was run: the list of flags is empty"),
        ("s/lr = .*/lr = 5/", "line 4: flag 'lr' of train must be a number from 0 to 1, not 5. Nothing was run"),
        ("s/lr = .*/lr = /", "nothing was run: the list of flags is not TOML: Invalid value (at line 4, column 6)"),
        ("s/^lr/rate/", "train has no flag 'rate'"),
    ],
)
def test_what_cannot_be_run_of_a_sheet_is_named_with_its_line(trained, script, words) -> None:
    trained.write("gitrun.toml", PROJECT)
    done = trained.run("train", "--edit-flags", env=editor(script))
    assert (done.returncode, trained.git("for-each-ref", "refs/runs")) == (129, "")
    assert done.stderr.startswith(f"gitrun: error: {words}")


def test_lists_and_ranges_of_a_batch_are_edited_as_they_are_typed(trained) -> None:
    trained.run("train.py", "lr=[0.1,0.2]", "opt=[sgd]", check=True)
    unchanged = trained.run("--restart", "train.py+", "--edit-flags", env=editor("s/x/x/"), check=True)
    assert unchanged.stdout == ""
    more = trained.run("--restart", "train.py+", "--edit-flags", env=editor("s/0.2\\]/0.2, 0.3]/"), check=True)
    assert more.stdout == "Namespace(lr=0.3, opt='sgd')\n"
    other = trained.run("train.py", "lr=uniform[0.1:0.2]", "-o", "random", "-m", "1", "--edit-flags", "--dry-run", "--json",
                        env=editor('s/lr = .*/lr = "uniform[0.5:0.6]"/'), check=True)  # fmt: skip
    assert json.loads(other.stdout)["flags"]["lr"] == "uniform[0.5:0.6]"


def test_flag_that_must_be_given_can_be_filled_in(trained) -> None:
    trained.write("a.sh", "echo $FLAG_NAME\n")
    trained.write("gitrun.toml", '[operations.a]\nscript = "a.sh"\nflags.name = { required = true }\n')
    assert trained.run("a").stderr == "gitrun: error: a needs the flag 'name'. To give it: name=VALUE\n"
    assert trained.run("a", "--edit-flags", env=editor('s/# name =/name = "x"/'), check=True).stdout == "x\n"
    assert trained.run("a", "--edit-flags", env={"GIT_EDITOR": "false"}).returncode == 128
