"""Scripts and styles of the pages as text."""

from __future__ import annotations

from gitrun.render.assets import policy_hash, read_asset


def test_policy_names_a_style_by_its_sha256() -> None:
    # printf %s 'a{}' | openssl dgst -sha256 -binary | base64
    assert policy_hash("a{}") == "'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='"


def test_style_sheets_load_nothing() -> None:
    for name in ("tokens.css", "report.css"):
        assert "url(" not in read_asset(name)
        assert "@import" not in read_asset(name)
