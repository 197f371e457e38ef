"""Settings are read as git reads them; a wrong one is named."""

from __future__ import annotations

import pytest

from gitrun.errors import UsageError
from gitrun.model.settings import Settings, seconds, settings_from

SAID = {
    "gitrun.python": ("python3.12",), "gitrun.maxuntracked": ("1k",), "gitrun.maxproduced": ("1k", "2M"),
    "gitrun.secrets": ("*.secret", "token*"), "gitrun.bring": ("",), "gitrun.link": ("off",), "gitrun.stopgrace": ("1m30s",),
}  # fmt: skip


def test_without_settings_the_defaults_hold() -> None:
    assert settings_from({"user.name": ("A",)}) == Settings()


def test_every_setting_is_read() -> None:
    assert settings_from(SAID) == Settings("python3.12", 1 << 10, 2 << 20, ("*.secret", "token*"), True, False, 90.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("gitrun.bring", "maybe"), ("gitrun.maxuntracked", "1T"), ("gitrun.maxproduced", "-1"), ("gitrun.stopgrace", "x")],
)
def test_wrong_setting_is_named(name, value) -> None:
    with pytest.raises(UsageError, match=f"{name}.*'{value}'"):
        settings_from({name: (value,)})


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1d", 86400), (".5s", 0.5)]
)
def test_duration_is_read(text, value) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "-5", "1x", "5m ", "m", "1h30", "1e3s", "٣s", "inf", "9" * 400])
def test_what_is_no_duration_is_refused(text) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        seconds(text)
