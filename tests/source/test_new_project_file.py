"""`git run ops --init`: a gitrun.toml from the files of other tools, and what it cannot say."""

from __future__ import annotations

from gitrun.model.toml import load_toml
from gitrun.source.draft import Draft
from gitrun.source.new_project_file import merge_drafts, render_draft


def operations(repo):
    return load_toml((repo.path / "gitrun.toml").read_text())["operations"]


def test_existing_project_file_is_never_overwritten(repo) -> None:
    for make in (lambda file: file.write_text("# mine\n"), lambda file: file.symlink_to("nowhere")):
        make(repo.path / "gitrun.toml")
        ended = repo.run("ops", "--init")
        assert (ended.returncode, "gitrun.toml exists" in ended.stderr) == (129, True)
        (repo.path / "gitrun.toml").unlink()
    assert not (repo.path / "nowhere").exists()


def test_scripts_are_drafted_where_no_other_tool_is(repo) -> None:
    repo.write("src/train.py", 'lr = 0.1\nif __name__ == "__main__":\n    print(lr)\n')
    repo.write("lib/train.py", 'lr = 0.1\nif __name__ == "__main__":\n    print(lr)\n')
    repo.run("ops", "--init", check=True)
    assert operations(repo) == {
        "echo": {"script": "echo.py"},
        "train": {"script": "lib/train.py"},
        "src/train": {"script": "src/train.py"},
    }
    assert "0.2" in repo.run("train", "lr=0.2", check=True).stdout


def test_second_tool_is_named_and_read_when_asked(dvc_project) -> None:
    dvc_project.write("Makefile", "train:\n\techo hi\nclean:\n\trm -f x\n")
    ended = dvc_project.run("ops", "--init", check=True)
    assert "note: Makefile was not read. To read both: git run ops --init dvc.yaml Makefile\n" in ended.stderr
    (dvc_project.path / "gitrun.toml").unlink()
    ended = dvc_project.run("ops", "--init", "dvc.yaml", "Makefile", check=True)
    assert "Makefile: train is left out: another file has an operation of that name" in ended.stderr
    assert operations(dvc_project)["clean"] == {"command": ["make", "clean"]}


def test_unknown_file_is_refused_and_nothing_is_written(repo) -> None:
    repo.write("sub/dvc.yaml", "stages: {}\n")
    for name in ("dvc.yaml", "echo.py", "sub/dvc.yaml"):
        ended = repo.run("ops", "--init", name)
        assert (ended.returncode, f"no file '{name}' at the top whose operations can be read" in ended.stderr) == (129, True)
    assert not (repo.path / "gitrun.toml").exists()


def test_draft_of_hostile_names_is_a_valid_file() -> None:
    draft = Draft("x", {"a=b": {"command": ["x"]}, "-n": {"command": ["x"]}, "ok": {"command": ["x"]}}, ("a\nb\x1b[31m",))
    merged = merge_drafts([draft], ())
    assert list(merged.operations) == ["ok"]
    assert load_toml(render_draft(merged))["operations"] == {"ok": {"command": ["x"]}}
    assert "\x1b" not in render_draft(merged)
    assert len(merged.losses) == 3
