"""Patterns for metrics that a user gives as `NAME=PATTERN`, with `--metric` or in the setting `gitrun.metric`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitrun.errors import BadValue
from gitrun.model.text import is_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NAME = 200


def parse_patterns(texts: Iterable[str], source: str) -> tuple[tuple[str, str], ...]:
    """Returns the name and regular expression of each text; the last text of a name wins. Raises UsageError.

    `source` names the option or setting in messages.
    """
    return tuple(dict(parse_pattern(text, source) for text in texts).items())


def parse_pattern(text: str, source: str) -> tuple[str, str]:
    """Returns the name and the regular expression of a text. Raises UsageError without a group for the number."""
    # loss=loss = ([0-9.]+): only the first sign separates
    name, sign, pattern = text.partition("=")
    if not sign or not name.strip() or not pattern or len(name) > MAX_NAME or not is_text(text):
        raise BadValue(
            f"{source} takes NAME=PATTERN, not '{safe_text(text)}'", f"For example: {source} 'loss=loss is ([0-9.]+)'"
        )
    try:
        groups = re.compile(pattern).groups
    # deep nesting raises RecursionError, and a repeat such as x{99999999999} OverflowError
    except (re.error, RecursionError, OverflowError) as error:
        raise BadValue(f"{source} {safe_text(name)}: '{safe_text(pattern)}' is not a regular expression: {error}") from error
    if not groups:
        raise BadValue(
            f"{source} {safe_text(name)}: '{safe_text(pattern)}' has no group for the number",
            "Put parentheses around the number: 'loss=loss is ([0-9.]+)'",
        )
    return name, pattern
