"""Finds metrics in the lines that a program prints: by two rules, or by the user's patterns.

First rule: the line is exactly `KEY: NUMBER`, optionally followed by `(10)`, `(step 10)` or other text in parentheses.
KEY begins with a letter or `_` and has no blanks. The key `step` sets the step of what follows. This rule comes from
Guild AI. Second rule: the usual lines of training programs, see `model/log_lines.py`. Each stream is read separately. Values
that only repeat a flag are no metric.
"""

from __future__ import annotations

import json
import re

from gitrun import model
from gitrun.dataclass import dataclass, field
from gitrun.model.metrics import STEP, MetricCollector, Steps, as_float
from gitrun.process.output_lines import Lines, open_regular, read_pieces
from gitrun.store.live import METRIC_RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gitrun.model.log_lines import LogLines
    from gitrun.model.plan import Plan

NEEDLES = (
    b"loss", b"acc", b"auc", b"auroc", b"f1", b"mse", b"mae", b"mape", b"rmsle", b"perplexity", b"ppl", b"nll", b"iou",
    b"bleu", b"rouge", b"error", b"r2", b"reward", b"score", b"recall", b"precision", b"'s ", b"elbo", b"psnr",
    b"epoch",
)  # fmt: skip
"""Lower-case texts; a line needs one of them to be read by the second rule."""
NUMBER = rb"[-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|(?i:nan|inf|infinity))"
# each part can end in one place only, so that no line causes backtracking
LINE = rb"([A-Za-z_\x80-\xff]\S*):[ \t]+(" + NUMBER + rb")(?:[ \t]+\(([^\n]*)\))?[ \t]*(?=\n)"
# loss: 0.1 (step 10)
STEP_TEXT = rb"\s*(?:step\s+)?([0-9]{1,15})\s*"
MAX_PATTERNS = 100
"""The most combinations of needles whose compiled patterns are kept."""
MAX_CACHED_NAMES = 10_000
"""The most keys whose names are cached."""


@dataclass(frozen=True, slots=True)
class MetricRules:
    """The rules of an output's metrics: `patterns` and, unless `only_patterns`, the two built-in rules.

    The built-in rules ignore a key of `flags` as long as all numbers printed for it are the flag's. `directory` is where the
    program starts, below the top.
    """

    flags: Mapping[str, float] = field(default_factory=dict)
    patterns: tuple[tuple[str, str], ...] = ()
    only_patterns: bool = False
    directory: str = ""


def make_rules(plan: Plan, patterns: tuple[tuple[str, str], ...] = ()) -> MetricRules:
    """Returns the rules of a plan.

    `patterns` come from the settings; patterns of the operation's entry turn the two rules off.
    """
    own = plan.patterns
    own_patterns = model.metric_patterns.parse_patterns(plan.params.metrics, "--metric") if plan.params.metrics else ()
    patterns_by_name = {**dict(patterns), **dict(own), **dict(own_patterns)}
    # a program that prints its flags prints a number only for a number: `loss: 0.3` is no echo of loss=hinge
    numbers = {name: number for name, value in plan.flags.items() if (number := as_number(value)) is not None}
    return MetricRules(numbers, tuple(patterns_by_name.items()), only_patterns=bool(own), directory=plan.cwd)


def write_rules(directory: Path, rules: MetricRules) -> None:
    """Writes the rules to the live record of a run, so that a crash recovery can use them."""
    patterns = [list(pattern) for pattern in rules.patterns]
    table = {"flags": dict(rules.flags), "patterns": patterns, "only_patterns": rules.only_patterns}
    (directory / METRIC_RULES).write_text(json.dumps({**table, "directory": rules.directory}))


def read_rules(directory: Path) -> MetricRules:
    """Returns the rules in the live record of a run; the two built-in rules if it has none."""
    try:
        rules = json.loads((directory / METRIC_RULES).read_bytes())
        patterns = tuple((str(name), str(pattern)) for name, pattern in rules["patterns"])
        # earlier versions wrote the names of the flags alone
        flags = {str(name): float(value) for name, value in rules["flags"].items()} if isinstance(rules["flags"], dict) else {}
        # earlier versions did not write only_patterns and directory
        return MetricRules(flags, patterns, bool(rules.get("only_patterns", patterns)), str(rules.get("directory", "")))
    except (OSError, ValueError, TypeError, KeyError):
        return MetricRules()


@dataclass(slots=True)
class StreamState:
    """The state of reading one stream: its unfinished line, and the step and table that following lines belong to."""

    lines: Lines = field(default_factory=Lines)
    log: LogLines | None = None
    steps: Steps = field(default_factory=Steps)


class LineScanner:
    """Gathers metrics by the two rules from a program's output, piece by piece while it is written."""

    def __init__(self, flags: Mapping[str, float] | None = None) -> None:
        self.collector = MetricCollector(echoes=flags)
        self._streams = (StreamState(), StreamState())
        self._names: dict[bytes, str] = {}
        # Python compiles each in a millisecond: only if an output has something to find
        self._block: re.Pattern[bytes] | None = None
        self._line: re.Pattern[bytes] | None = None
        self._needles: dict[tuple[bytes, ...], re.Pattern[bytes]] = {}

    def feed(self, stream: int, data: bytes) -> None:
        """Reads the next bytes of a stream (0: stdout or both, 1: stderr)."""
        if block := self._streams[stream].lines.feed(data):
            self._read(self._streams[stream], block)

    def finish(self) -> None:
        """Reads the last lines, which may lack a line end."""
        for stream in self._streams:
            if block := stream.lines.finish():
                self._read(stream, block)

    def _read(self, stream: StreamState, block: bytes) -> None:
        """Reads a block of whole lines. Reads them one by one only if the second rule may match."""
        small = block.lower()
        there = tuple(needle for needle in NEEDLES if needle in small)
        # the second rule is slow, and most blocks have no line for it
        if there or (stream.log and stream.log.is_in_table):
            self._read_lines(stream, zip(block[1:].splitlines(keepends=True), small[1:].splitlines(), strict=True), there)
        elif b": " in block or b":\t" in block:
            self._block = self._block or re.compile(rb"\n" + LINE)
            for key, number, behind in self._block.findall(block):
                self._add(stream, key, number, behind)

    def _read_lines(self, stream: StreamState, lines: Iterable[tuple[bytes, bytes]], there: tuple[bytes, ...]) -> None:
        """Reads lines, each given with its lower-case form. `there` are the needles found in the block."""
        self._line = self._line or re.compile(LINE)
        if there not in self._needles:
            if len(self._needles) > MAX_PATTERNS:
                # bounded, since an output can combine the needles in very many ways
                self._needles.clear()
            self._needles[there] = re.compile(b"|".join(there) or rb"(?!)")
        match, search = self._line.match, self._needles[there].search
        for line, small in lines:
            if b":" in line and (line_match := match(line)):
                self._add(stream, *line_match.groups(b""))
            elif search(small) or (stream.log and stream.log.is_in_table):
                # imported late: many programs print only lines of the first rule
                stream.log = stream.log or model.log_lines.LogLines()
                pairs = stream.log.read(line[:-1].decode(errors="replace"))
                if pairs.step is not None:
                    stream.steps.set_step(pairs.step)
                if pairs.values:
                    self.collector.add_all(pairs.values, stream.steps)

    def _add(self, stream: StreamState, key: bytes, number: bytes, behind: bytes) -> None:
        """Adds the metric or step of a `KEY: NUMBER` line."""
        name = self._names.get(key)
        if name is None:
            name = metric_name(key)
            # bounded, since a program may print a new key in every line
            if len(self._names) < MAX_CACHED_NAMES:
                self._names[key] = name
        if name == STEP:
            if self.collector.check_echo(name, float(number)):
                return
            stream.steps.set_step(float(number))
        elif name and self.collector.admit(name):
            if behind and (step_match := re.fullmatch(STEP_TEXT, behind)):
                stream.steps.set_step(float(step_match[1]))
            self.collector.add(name, float(number), stream.steps.next_step(name))


def scan_output(output: Path, switches: Path, scanner: LineScanner, start: int = 0) -> None:
    """Reads a file of output from `start` to its end into the scanner, each stream separately."""
    file = open_regular(str(output))
    if file:
        with file:
            for stream, data in read_pieces(file, str(switches), start):
                scanner.feed(stream, data)
    scanner.finish()


def as_number(value: object) -> float | None:
    """Returns a flag's value as a float; None if it is no number."""
    return float(value) if isinstance(value, bool) else as_float(value)


def metric_name(key: bytes) -> str:
    """Returns the metric's name for a key; empty if the key is not one."""
    try:
        name = key.decode()
    except UnicodeDecodeError:
        return ""
    return name if (name[0].isalpha() or name[0] == "_") else ""
