"""Files of the pages as text, and their hashes for a content security policy."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

VIEW = Path(__file__).parents[1] / "share" / "view"
"""The directory of the pages, with their scripts and styles."""


def read_asset(name: str) -> str:
    """Returns a script, style or page of this name."""
    return (VIEW / name).read_text(encoding="utf-8")


def policy_hash(text: str) -> str:
    """Returns the source expression that allows exactly this inline script or style."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
