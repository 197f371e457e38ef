"""Labels, tags, comments and marks: on many runs at once, none lost, from the command line and the editor."""

from __future__ import annotations

import pytest
from annotated import shown


def test_newest_run_is_meant_without_a_name(runs) -> None:
    runs.run("tag", "a", check=True)
    assert shown(runs)["tags"] == ["a"]
    assert shown(runs, "2")["tags"] == []


@pytest.mark.parametrize("notes", ['label = "a"\n' + "#" * (1 << 20), "#" * (3 << 20), "label = "])
def test_run_whose_annotations_do_not_read_is_there_without_them(runs, notes) -> None:
    run = shown(runs)["id"]
    runs.git("checkout", "--quiet", "--detach", f"runs/{run}")
    runs.write(".gitrun/notes.toml", notes)
    runs.git("add", "--force", ".gitrun/notes.toml")
    runs.git("commit", "--quiet", "-m", "note\n\nGitrun-Kind: annotation\nGitrun-Format: 1")
    runs.git("update-ref", f"refs/runs/{run}", "HEAD")
    runs.git("checkout", "--quiet", "main")
    assert (shown(runs)["id"], shown(runs)["label"]) == (run, None)
    assert "notes:     .gitrun/notes.toml is " in runs.run("show", "1").stdout
    assert f"cannot read the annotations of run {run[:8]}" in runs.run("doctor").stdout
    runs.run("label", "again", "1", check=True)
    assert shown(runs)["label"] == "again"


@pytest.mark.parametrize(
    "words", [("label", "bad\udcff", "1"), ("tag", "a,bad\udcff", "1"), ("comment", "-m", "bad\udcff", "1")]
)
def test_text_that_is_not_utf_8_is_refused(runs, words) -> None:
    refused = runs.run(*words)
    assert (refused.returncode, refused.stderr.count("\n")) == (129, 1)
    assert refused.stderr.startswith("gitrun: error: 'bad\\xff' is not UTF-8, so it cannot be recorded")
