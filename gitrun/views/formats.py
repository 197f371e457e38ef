"""Formats: one line per run in the syntax of `git for-each-ref`: `%(id:short) %(if)%(label)%(then)[%(label)]%(end)`.

format  (text | "%%" | "%" two hex digits | "%(" atom ")" | align | choice)*
align   "%(align:" width ["," position] ")" format "%(end)"
choice  "%(if" [":equals=" text | ":notequals=" text] ")" format "%(then)" format ["%(else)" format] "%(end)"
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from gitrun import model
from gitrun.errors import UsageError
from gitrun.model.flags import format_value
from gitrun.model.run import rfc3339_text, run_ref, short_id
from gitrun.model.text import COLOUR, count_columns, is_text, number_text, relative_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.model.run import Run


Line: TypeAlias = "Callable[[Run, datetime], str]"
ATOMS = (
    "id", "operation", "status", "flags", "metrics", "label", "tags", "marked", "branch", "base", "source", "batch", "trial",
    "started", "stopped", "duration", "exit_status", "comments", "refname",
)  # fmt: skip
IDS = ("id", "base", "source")
TIMES = ("started", "stopped")
TIME_FORMS: dict[str, Callable[[datetime, datetime], str]] = {
    "": lambda time, _: rfc3339_text(time) or "",
    "relative": relative_text,
    "local": lambda time, _: time_text(time),
    "unix": lambda time, _: str(int(time.astimezone(timezone.utc).timestamp())),
    "short": lambda time, _: time.astimezone().strftime("%Y-%m-%d"),
    "iso": lambda time, _: time.astimezone().strftime("%Y-%m-%d %H:%M:%S %z"),
    "iso-strict": lambda time, _: time.astimezone().isoformat(timespec="seconds"),
    # git writes the day of this form without a leading zero
    "rfc": lambda time, _: time.astimezone().strftime("%a, %-d %b %Y %H:%M:%S %z"),
}
"""Forms of dates by git's names, in the user's time zone; the empty form is RFC 3339 in UTC.

`format:<strftime>` is accepted too (see `time_renderer`).
"""
THERE_ARE = (
    f"Atoms: {', '.join(ATOMS)}, flag:<name>, metric:<name>. Ids take :short and :short=<n>, refname takes :short, "
    f"times take :{', :'.join(filter(None, TIME_FORMS))} and :format:<text>"
)
SHORTEST = 4
"""Fewest digits that git abbreviates an object id to."""

# %(label), an open %( without its end, %e2%82%ac, %%, or text, of which a lone % is a part
PIECE = re.compile(r"%\((?P<atom>[^)]*)\)|(?P<open>%\()|(?P<bytes>(?:%[0-9a-fA-F]{2})+)|%(?P<percent>%)|(?P<text>[^%]+|%)")
BLOCKS = {"then", "else", "end"}
DEEPEST = 100
ALIGN = re.compile(r"(?:width=)?(?P<width>[0-9]{1,5})(?:,(?:position=)?(?P<position>left|middle|right))?")
BACKWARDS = re.compile(r"(?:position=)?(?P<position>left|middle|right),(?:width=)?(?P<width>[0-9]{1,5})")


def read_format(text: str, colour: Callable[[str], str] = lambda _: "", safe: Callable[[str], str] = str) -> Line:
    """Parses a format into a function of a run and the current time that returns text. Raises UsageError.

    Bytes that are not UTF-8 become surrogates. `colour` turns a name such as `red` into a terminal sequence. `safe` escapes all
    text that comes from a run.
    """
    reader = FormatParser(text, colour, safe)
    line, _ = reader.sequence("", frozenset())
    # git for-each-ref also resets the colour at the end of a line
    reset = colour("reset") if reader.is_coloured else ""
    return lambda run, now: line(run, now) + reset


class FormatParser:
    """A parser of one format."""

    def __init__(self, text: str, colour: Callable[[str], str], safe: Callable[[str], str]) -> None:
        self.pieces = PIECE.finditer(text)
        self.text, self.colour, self.safe = text, colour, safe
        self.is_coloured = False
        self.depth = 0

    def sequence(self, opened: str, ends: frozenset[str]) -> tuple[Line, str]:
        """Parses up to one of the `ends` of the block `opened`, or to the end of the text without a block.

        Returns the line so far and the end that was found. Raises UsageError.
        """
        lines: list[Line] = []
        for piece in self.pieces:
            name = piece["atom"]
            if piece["open"]:
                raise UsageError(
                    f"malformed format: '{self.text[piece.start() :]}' has no ')'", "%( begins an atom, and %% is a %"
                )
            if name in ends:
                return concatenated(lines), name
            if name in BLOCKS:
                raise UsageError(f"malformed format: unexpected %({name})", "%(if)...%(then)...%(else)...%(end)")
            lines.append(constant_line(literal_text(piece)) if name is None else self.block(name))
        if ends:
            # else is optional: of else and end, the shorter one is what is missing
            raise UsageError(f"malformed format: %({opened}) has no %({min(ends, key=len)})", "%(if)...%(then)...%(end)")
        return concatenated(lines), ""

    def block(self, name: str) -> Line:
        """Returns the line for an atom, with the whole block if the atom opens one."""
        head, _, form = name.partition(":")
        if head in {"if", "align"}:
            self.depth += 1
            # each level is a recursion, and Python's stack is limited
            if self.depth > DEEPEST:
                raise UsageError("malformed format: it is nested too deeply")
            render = self.choice(name, form) if head == "if" else self.aligned(name, form)
            self.depth -= 1
            return render
        if head == "color":
            self.is_coloured = form != "reset"
            return constant_line(self.colour(form))
        tell = atom_renderer(name)
        return lambda run, now: self.safe(tell(run, now))

    def choice(self, name: str, form: str) -> Line:
        """Parses an `%(if)` block into a line that picks one of two branches."""
        sort, _, wanted_value = form.partition("=")
        if sort not in {"", "equals", "notequals"} or (sort and "=" not in form):
            raise UsageError(f"no atom %({name})", "Forms: %(if), %(if:equals=<text>), %(if:notequals=<text>)")
        render_then, _ = self.sequence(name, frozenset({"then"}))
        then, end = self.sequence(name, frozenset({"else", "end"}))
        other = self.sequence(name, frozenset({"end"}))[0] if end == "else" else constant_line("")

        def holds(value: str) -> bool:
            # for git, too, a text of blanks is empty
            return bool(value.strip()) if not sort else (value == wanted_value) == (sort == "equals")

        return lambda run, now: (then if holds(render_then(run, now)) else other)(run, now)

    def aligned(self, name: str, form: str) -> Line:
        """Parses an `%(align)` block into a line that pads its content."""
        match = ALIGN.fullmatch(form) or BACKWARDS.fullmatch(form)
        if match is None:
            raise UsageError(f"no atom %({name})", "Form: %(align:<width>,<position>), with left, middle or right")
        inner, _ = self.sequence(name, frozenset({"end"}))
        width, position = int(match["width"]), match["position"] or "left"
        return lambda run, now: pad(inner(run, now), width, position)


def literal_text(piece: re.Match[str]) -> str:
    """Returns the text of a piece that is not an atom."""
    if piece["bytes"]:
        # several escapes in a row are decoded at once, as a character of UTF-8 can have several bytes
        return bytes.fromhex(piece["bytes"].replace("%", "")).decode(errors="surrogateescape")
    return piece["percent"] or piece["text"]


def constant_line(text: str) -> Line:
    """Returns a line that is the same for every run."""
    return lambda _run, _now: text


def concatenated(lines: list[Line]) -> Line:
    """Returns a line that concatenates these lines."""

    def line(run: Run, now: datetime) -> str:
        return "".join([one(run, now) for one in lines])

    return line


def pad(text: str, width: int, position: str) -> str:
    """Pads the text to `width` columns; `position` is left, middle or right."""
    # sequences for colours take no columns
    blanks = max(width - count_columns(COLOUR.sub("", text)), 0)
    before = {"left": 0, "middle": blanks // 2, "right": blanks}[position]
    return " " * before + text + " " * (blanks - before)


def atom_renderer(name: str) -> Line:
    """Returns the function that renders an atom for a run. Raises UsageError for an unknown atom."""
    head, _, form = name.partition(":")
    if head in {"flag", "metric"} and form:
        return lambda run, _: value_text(model.filters.look_up_value(run, name))
    if head in TIMES:
        tell = time_renderer(name, form)
        return lambda run, now: tell(time, now) if (time := getattr(run.attempt, head)) else ""
    if head in IDS and form:
        digits = id_digits(name, form)
        return lambda run, _: id_text(run.get(head), digits)
    if head == "refname" and form in {"", "short"}:
        return lambda run, _: run_ref(run.id).removeprefix("refs/" if form else "")
    if head not in ATOMS or form:
        raise unknown_atom(name)
    return lambda run, _: plain_text(run, head)


def column_renderer(name: str) -> Line:
    """Returns the function that renders a column: an atom, or a flag or metric named as in filters."""
    head = name.partition(":")[0]
    return (
        atom_renderer(name)
        if head in {*ATOMS, "flag", "metric"}
        else lambda run, _: value_text(model.filters.look_up_value(run, name))
    )


def unknown_atom(name: str) -> UsageError:
    """Returns the error for an unknown atom; its hint lists all atoms."""
    return UsageError(f"no atom %({name})", THERE_ARE)


def time_renderer(name: str, form: str) -> Callable[[datetime, datetime], str]:
    """Returns the function that renders a time in this form. Raises UsageError."""
    # strftime cannot encode the surrogates of bytes that are not UTF-8
    if form.startswith("format:") and is_text(form):
        return lambda time, _: time.astimezone().strftime(form.removeprefix("format:"))
    if form not in TIME_FORMS:
        raise unknown_atom(name)
    return TIME_FORMS[form]


def id_digits(name: str, form: str) -> int:
    """Returns how many digits of an id the form asks for; 0 means the usual short id. Raises UsageError."""
    words, _, number = form.partition("=")
    # isdecimal alone accepts the digits of other scripts
    if words != "short" or (form != words and not (number.isascii() and number.isdecimal() and int(number))):
        raise unknown_atom(name)
    return max(int(number), SHORTEST) if number else 0


def id_text(name: str | None, digits: int) -> str:
    """Returns an object id cut to `digits` (0: the usual short id); empty for None."""
    return "" if name is None else name[:digits] if digits else short_id(name)


def plain_text(run: Run, name: str) -> str:
    """Returns a key of a run as text."""
    if name == "flags":
        return run.attempt.flags_text
    if name == "metrics":
        return " ".join(f"{key}={number_text(value)}" for key, value in run.metrics.items())
    return value_text(run.get(name))


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever a run has
    """Returns a value as a person types it; empty for None. Items of a list are joined by commas."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(item["text"] if isinstance(item, dict) else value_text(item) for item in value)
    # texts stay as they are: format_value would quote some
    return value if isinstance(value, str) else format_value(value)
