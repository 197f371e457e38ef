"""Settings are read as git reads them; a wrong one is named."""

from __future__ import annotations

import pytest

from gitrun.commands.install_docs import SHARE
from gitrun.errors import UsageError
from gitrun.model.settings import (
    NAMES,
    READERS,
    RUN_SETTINGS,
    Settings,
    invalid_settings,
    parse_duration,
    read_settings,
    require_valid,
    unknown_settings,
)

SAID = {
    "gitrun.python": ("python3.12",), "gitrun.maxuntracked": ("1k",), "gitrun.maxproduced": ("1k", "2M"),
    "gitrun.secrets": ("*.secret", "token*"), "gitrun.bring": ("",), "gitrun.link": ("off",), "gitrun.stopgrace": ("1m30s",),
}  # fmt: skip


def test_without_settings_the_defaults_hold() -> None:
    assert read_settings({"user.name": ("A",)}) == Settings()


def test_every_setting_is_read() -> None:
    assert read_settings(SAID) == Settings("python3.12", 1 << 10, 2 << 20, ("*.secret", "token*"), True, False, stop_grace=90.0)


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("bring", "gitrun.bring", "maybe"),
        ("max_untracked", "gitrun.maxUntracked", "1t"),
        ("max_produced", "gitrun.maxProduced", "-1"),
        ("stop_grace", "gitrun.stopGrace", "x"),
        ("gc_keep", "gitrun.gc.keep", "all"),
        ("gc_older_than", "gitrun.gc.olderThan", "soon"),
        ("trash_expire", "gitrun.trashExpire", "30x"),
        ("pre_push", "gitrun.prePush", "required"),
    ],
)
def test_wrong_setting_is_named_as_it_is_documented_where_it_matters(field, name, value) -> None:
    config = {name.lower(): (value,), "gitrun.link": ("false",)}
    with pytest.raises(UsageError, match=f"setting {name} must be .*, not '{value}'") as raised:
        require_valid(config, [field])
    assert raised.value.hint == f"To find where it is set: git config --show-origin {name}"
    assert [said for said, _ in invalid_settings(config)] == [name]
    assert read_settings(config) == Settings(link=False)
    require_valid(config, ["link"])


@pytest.mark.parametrize("name", ["gitrun.link", "gitrun.lend"])
@pytest.mark.parametrize("path", ["..", "../..", "data/../../x", "/srv/data", "data/.."])
def test_path_out_of_the_repository_is_refused_with_its_setting(name, path) -> None:
    config = {name: ("true", "data/", path)}
    with pytest.raises(UsageError, match=f"setting {name} must be paths inside the repository, .*, not '{path}'"):
        require_valid(config, RUN_SETTINGS)
    assert [said for said, _ in invalid_settings(config)] == [name]
    require_valid({name: ("true", "data/", "a/..b", "")}, RUN_SETTINGS)


def test_setting_that_nobody_reads_is_unknown() -> None:
    assert unknown_settings(
        {"gitrun.gc.keep": ("1",), "gitrun.fsync": ("1",), "gitrun.maxuntraked": ("1m",), "hook.gitrun-x.event": ("x",)}
    ) == ["gitrun.maxuntraked"]


def test_every_field_is_read_from_a_setting_that_the_man_page_has() -> None:
    assert set(READERS) == set(Settings.__slots__)
    manual = (SHARE / "git-run.1").read_text()
    assert [name for name in NAMES if f".It Va {name}\n" not in manual] == []


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1d", 86400), (".5s", 0.5)]
)
def test_duration_is_read(text, value) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "0", "-5", "1x", "5m ", "m", "1h30", "1e3s", "٣s", "inf", "9" * 400])
def test_what_is_no_duration_is_refused(text) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)
