"""Check of dates before git reads them: git takes any word that it does not know for now, without an error."""

from __future__ import annotations

import re

from gitrun.errors import UsageError

KNOWN = (
    "ago at now today yesterday noon midnight tea never last am pm t z utc gmt "
    "second minute hour day week month year "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun "
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec "
    "a one two three four five six seven eight nine ten"
)
WORDS = frozenset(KNOWN.split())
PART = re.compile(r"[0-9]+|[a-zA-Z]+|[-+.,:/_ ]+")


def require_date(text: str) -> str:
    """Returns the text if git knows every word of it: `2.weeks`, `yesterday`, `2026-11-01 12:00`.

    Raises UsageError otherwise.
    """
    parts = PART.findall(text)
    words = [part.lower() for part in parts if part[0].isalpha()]
    known = all(word in WORDS or word.removesuffix("s") in WORDS or word in {"st", "nd", "rd", "th"} for word in words)
    if "".join(parts) != text or not known or not any(part[0].isalnum() for part in parts):
        raise UsageError(f"not a date: '{text}'", "write 2.weeks, yesterday, or 2026-11-01")
    return text
