"""Our hooks among those of others: installed and removed without a trace, in every way; `python FILE` marks hooks/ again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from gitrun import Project
from gitrun.errors import CannotRun, UsageError
from gitrun.sharing import hook_files
from gitrun.sharing.hook_files import CLIENT, NAMES, Hooks, digest_of_hook, hook_settings, is_own_hook, parse_version

HOOKS = Path(__file__).parents[2] / "hooks"
FOREIGN = b"#!/bin/sh\necho foreign >> log\n"


def hooks_of(repo, version: tuple[int, int] = (2, 39)) -> Hooks:
    return Hooks(Project(repo.path).git, version)


def statuses(repo, **more) -> set[str]:
    found = hooks_of(repo, **more)
    return {found.status(name).status for name in found.names()}


def lay(repo, name: str = "pre-push", mode: int = 0o755, data: bytes = FOREIGN) -> Path:
    path = repo.write(f".git/hooks/{name}", data)
    path.chmod(mode)
    return path


def picture(directory: Path) -> dict[str, object]:
    """Returns the entries of a directory: content, mode, link."""
    return {
        str(path.relative_to(directory)): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mode,
        )
        for path in directory.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("name", NAMES)
def test_shipped_hook_is_marked_as_ours_and_can_be_run(name) -> None:
    data = (HOOKS / name).read_bytes()
    assert is_own_hook(data), f"{sys.executable} {__file__} marks it again"
    assert os.access(HOOKS / name, os.X_OK)
    subprocess.run(["sh", "-n", HOOKS / name], check=True)
    assert not is_own_hook(data + b"echo mine\n")
    assert not is_own_hook(b"")


def test_installing_twice_is_as_installing_once_and_uninstalling_leaves_nothing(repo) -> None:
    before = picture(repo.path / ".git" / "hooks")
    assert statuses(repo) == {"missing"}
    for _ in range(2):
        for name in CLIENT:
            assert hooks_of(repo).install(name).status == "installed"
    assert statuses(repo) == {"installed"}
    for name in CLIENT:
        hooks_of(repo).uninstall(name)
    assert picture(repo.path / ".git" / "hooks") == before


def test_foreign_hook_stays_byte_for_byte(repo) -> None:
    path = lay(repo)
    assert hooks_of(repo).install("pre-push").status == "foreign"
    hooks_of(repo).uninstall("pre-push")
    assert path.read_bytes() == FOREIGN


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o644])
def test_chained_hook_comes_back_with_its_mode(repo, mode) -> None:
    lay(repo, mode=mode)
    before = picture(repo.path / ".git" / "hooks")
    assert hooks_of(repo).install("pre-push", chain=True).status == "chained"
    assert hooks_of(repo).install("pre-push", chain=True).status == "chained"
    assert hooks_of(repo).status("pre-push").status == "chained"
    hooks_of(repo).uninstall("pre-push")
    assert picture(repo.path / ".git" / "hooks") == before


def test_hook_that_is_a_link_is_foreign_and_comes_back_as_a_link(repo) -> None:
    (repo.path / "ours.sh").write_bytes((HOOKS / "pre-push").read_bytes())
    (repo.path / ".git/hooks").mkdir(exist_ok=True)
    (repo.path / ".git/hooks/pre-push").symlink_to("../../ours.sh")
    before = picture(repo.path / ".git" / "hooks")
    assert hooks_of(repo).install("pre-push").status == "foreign"
    hooks_of(repo).install("pre-push", chain=True)
    assert (repo.path / "ours.sh").read_bytes() == (HOOKS / "pre-push").read_bytes()
    hooks_of(repo).uninstall("pre-push")
    assert picture(repo.path / ".git" / "hooks") == before


def test_hook_of_ours_that_somebody_changed_is_foreign(repo) -> None:
    hooks_of(repo).install("pre-push")
    path = repo.path / ".git/hooks/pre-push"
    path.write_bytes(path.read_bytes() + b"echo mine\n")
    assert hooks_of(repo).install("pre-push").status == "foreign"
    hooks_of(repo).uninstall("pre-push")
    assert path.read_bytes().endswith(b"echo mine\n")


def test_hook_of_another_version_is_out_of_date_and_replaced(repo) -> None:
    old = b"#!/bin/sh\n# git-run-tracker hook pre-push ------------\nexit 0\n"
    lay(repo, data=old.replace(b"------------", digest_of_hook(old)))
    assert hooks_of(repo).status("pre-push").status == "out of date"
    assert hooks_of(repo).install("pre-push").status == "installed"


def test_chain_interrupted_before_ours_was_written_goes_on(repo) -> None:
    path = lay(repo)
    hook_files.keep_beside(path)
    assert hooks_of(repo).status("pre-push").status == "foreign"
    assert hooks_of(repo).install("pre-push", chain=True).status == "chained"
    hooks_of(repo).uninstall("pre-push")
    assert path.read_bytes() == FOREIGN


def test_two_foreign_hooks_are_too_many_to_chain(repo) -> None:
    lay(repo)
    lay(repo, "pre-push.before-gitrun", data=b"another")
    with pytest.raises(CannotRun, match="exists, and is another hook"):
        hooks_of(repo).install("pre-push", chain=True)
    assert (repo.path / ".git/hooks/pre-push").read_bytes() == FOREIGN


def test_hooks_go_where_git_looks_for_them(repo, tmp_path) -> None:
    repo.git("worktree", "add", "-q", tmp_path / "second")
    repo.git("config", "core.hooksPath", "tools/hooks")
    found = hooks_of(repo).install("post-commit")
    assert found.path == str(repo.path / "tools/hooks/post-commit")
    repo.git("config", "--unset", "core.hooksPath")
    second = Hooks(Project(tmp_path / "second").git, (2, 39)).install("post-commit")
    assert second.path == str(repo.path / ".git/hooks/post-commit")


@pytest.mark.parametrize("place", ["/dev/null", "tools"])
def test_setting_that_leaves_hooks_no_place_is_named(repo, place) -> None:
    repo.write("tools", "")
    repo.git("config", "core.hooksPath", place)
    with pytest.raises(CannotRun, match=r"core\.hooksPath is .*, which is not a directory") as raised:
        hooks_of(repo).install("pre-push")
    assert raised.value.hint.startswith("To find where it is set: git config --show-origin core.hooksPath")
    hooks_of(repo).uninstall("pre-push")


def test_hooks_suit_the_repository(repo, tmp_path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
    assert Hooks(Project(tmp_path / "bare.git").git).names() == ("pre-receive",)
    for asked, words in (("pre-receive", "bare repositories"), ("update", "no hook 'update'")):
        with pytest.raises(UsageError, match=words):
            hooks_of(repo).names([asked])


def test_new_git_gets_settings_and_foreign_files_stay_beside_them(repo) -> None:
    lay(repo)
    config = (repo.path / ".git/config").read_bytes()
    assert hooks_of(repo, (2, 54)).install("pre-push").status == "installed"
    assert repo.git("config", "hook.gitrun-pre-push.event") == "pre-push"
    assert repo.git("config", "hook.gitrun-pre-push.command") == hook_settings("pre-push")["hook.gitrun-pre-push.command"]
    assert hooks_of(repo, (2, 54)).status("pre-push").path == ""
    assert (repo.path / ".git/hooks/pre-push").read_bytes() == FOREIGN
    hooks_of(repo, (2, 54)).uninstall("pre-push")
    assert (repo.path / ".git/config").read_bytes() == config


def test_settings_of_another_version_are_out_of_date_replaced_and_taken_away(repo) -> None:
    config = (repo.path / ".git/config").read_bytes()
    repo.git("config", "hook.gitrun-pre-push.event", "pre-push")
    repo.git("config", "hook.gitrun-pre-push.command", "git run hook pre-push")
    assert hooks_of(repo, (2, 54)).status("pre-push").status == "out of date"
    assert hooks_of(repo, (2, 39)).status("pre-push").status == "missing", "an older git does not look at them"
    hooks_of(repo, (2, 54)).uninstall("pre-push")
    assert (repo.path / ".git/config").read_bytes() == config
    repo.git("config", "hook.gitrun-pre-push.command", "git run hook pre-push")
    assert hooks_of(repo, (2, 54)).install("pre-push").status == "installed"


def test_setting_of_the_user_stays_and_how_to_take_it_away_is_said(repo) -> None:
    for setting, value in hook_settings("pre-push").items():
        repo.git("config", "--global", setting, value)
    with pytest.raises(UsageError, match="is set in your own git config, not in this repository"):
        hooks_of(repo, (2, 54)).uninstall("pre-push")
    assert repo.git("config", "--global", "hook.gitrun-pre-push.event") == "pre-push"


def test_file_of_an_older_git_gives_way_to_the_setting(repo) -> None:
    lay(repo)
    hooks_of(repo).install("pre-push", chain=True)
    hooks_of(repo, (2, 54)).install("pre-push")
    assert (repo.path / ".git/hooks/pre-push").read_bytes() == FOREIGN


def test_setting_is_a_command_that_passes_arguments_and_status(repo) -> None:
    command = hook_settings("pre-push")["hook.gitrun-pre-push.command"].replace("git run hook", "echo")
    # as git starts a command of its settings
    done = subprocess.run(["sh", "-c", f'{command} "$@"', command, "a b", "c"], capture_output=True, text=True, check=True)
    assert done.stdout == "pre-push a b c\n"
    gone = subprocess.run(["/bin/sh", "-c", f'{command} "$@"', command, "x"], env={"PATH": ""}, capture_output=True, check=True)
    assert gone.stdout == b""


@pytest.mark.parametrize(
    ("said", "version"),
    [("git version 2.39.5", (2, 39)), ("git version 2.54.0.windows.1", (2, 54)), ("git version 3.0", (3, 0)), ("?", (0, 0))],
)
def test_version_of_git(said, version) -> None:
    assert parse_version(said) == version


def test_wheel_brings_the_hooks_to_the_place_where_they_are_looked_for() -> None:
    settings = tomli.loads((HOOKS.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert settings["force-include"]["hooks"] == hook_files.PLACES[0].relative_to(HOOKS.parent).as_posix()
    assert hook_files.PLACES[1] == HOOKS
    assert {file.name for file in HOOKS.iterdir()} == set(NAMES)


def mark(data: bytes) -> bytes:
    return re.sub(rb"(?m)^(# git-run-tracker hook [a-z-]+ ).*$", lambda found: found[1] + digest_of_hook(data), data, count=1)


if __name__ == "__main__":
    for shipped in HOOKS.iterdir():
        shipped.write_bytes(mark(shipped.read_bytes()))
