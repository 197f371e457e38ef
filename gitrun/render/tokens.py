"""The colours and fonts that pages, reports and plots share: `share/view/tokens.css`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HUES = 8
DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""Dashes of curves, as SVG has them: after all hues, the next dash begins."""
TOKEN = re.compile(r"--([\w-]+): ([^;]+);")


@cache
def read_tokens() -> str:
    """Returns the style sheet."""
    return (Path(__file__).parents[1] / "share" / "view" / "tokens.css").read_text()


@cache
def light_tokens() -> dict[str, str]:
    """Returns the values of the light scheme by name, such as `hue-1`: for viewers that know no variables."""
    return dict(TOKEN.findall(read_tokens().partition("@media")[0]))
