"""Second rule for metrics in output: lines that training programs commonly print.

`step 10 | loss 3.10 | lr 1e-3`, `Epoch 3: loss=0.2, acc=0.91`, `{'loss': 0.4, 'epoch': 1.0}`, `[12/100] loss 0.3`. A line
counts if it pairs a measure (a word of MEASURES) with a number. It must also have a step, a second pair, or nothing else. All
pairs of such a line become metrics. Ordinary output has no such lines; `tests/fixtures/ordinary` is the evidence.
"""

from __future__ import annotations

import re

from gitrun.dataclass import dataclass, field
from gitrun.model.metrics import parse_float

MAX_LINE = 2_000
"""Longest line in characters that is examined."""
MAX_OTHER_LINES = 100
"""Number of other lines in a row after which a table has ended."""
MEASURES = frozenset((
    "loss", "acc", "accuracy", "auc", "auroc", "f1", "mse", "rmse", "mae", "mape", "rmsle", "logloss", "merror",
    "perplexity", "ppl", "nll", "iou", "miou", "bleu", "rouge", "r2", "reward", "elbo", "psnr", "mlogloss",
))  # fmt: skip
"""Words that make a name a measure if they are its first or last word."""
COMPANIONS = frozenset((
    "precision", "recall", "score", "dice", "wer", "cer", "ssim", "error",
))  # fmt: skip
"""Words that make a name a measure only next to another measure."""
QUALIFIERS = frozenset((
    "train", "training", "val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev", "best", "final",
    "mean", "average", "avg", "total", "running", "ema", "macro", "micro", "weighted", "squared", "absolute", "root",
    "log", "balanced", "percentage", "median", "smoothed", "global", "batch", "epoch", "step", "cv", "f1", "r2", "roc",
    "top1", "top5", "cross", "entropy", "classification", "overall", "current", "last",
))  # fmt: skip
"""Words before a name that are part of it."""
PHASES = frozenset((
    "train", "training", "val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev",
))  # fmt: skip
STATISTICS = frozenset((
    "mean", "squared", "absolute", "test", "train", "val", "validation", "rate", "log", "relative", "percentage",
))  # fmt: skip
"""Words that make an error a measure: `mean squared error`."""
NEVER = frozenset((
    "weight", "weights", "coef", "coefficient", "scale", "fn", "type", "smoothing", "threshold", "tol", "tolerance",
    "patience", "target", "version", "steps", "step", "freq", "every", "interval", "packet", "packets", "data", "frame",
    "frames", "signal", "line", "lines", "bit", "raw", "read", "seek", "count", "id", "num", "max_iter", "idx", "index",
    "accum", "accumulation",
))  # fmt: skip
"""Words that no name of a measure contains."""
NO_METRICS = frozenset((
    "v_num", "eta", "epoch", "epochs", "step", "steps", "iter", "iters", "iteration", "iterations", "batch", "round",
    "global_step", "ep",
))  # fmt: skip
FOLLOWERS = frozenset(("lr", "learning_rate", "time", "step", "epoch", "iter", "grad_norm"))
"""Names that often follow a measure without a sign between."""
# `train.py: 12` is a line of a file
FILE_NAME = re.compile(
    r"\.(?:py|pyc|c|h|cc|cpp|hpp|cu|rs|go|js|ts|java|rb|sh|json|csv|tsv|txt|log|md|ya?ml|toml|ipynb|pt|o|so|R)$"
)
# 0.31   .5   5.   1e-3   nan
NUM = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)\b)"
# loss: 0.31   'acc': 0.9   Acc@1 75.3   accuracy: 95/100   top5 92.1%
PAIR = re.compile(
    rf"(?<![\w.$/+<>\"'&%?#=@\\-])(?P<quote>[\"']?)(?P<key>[A-Za-z_][\w./@^-]*(?:'s [A-Za-z_][\w@]*)?)(?P=quote)"
    rf"(?P<sign>[ \t]*[:=][ \t]*|[ \t]+)(?P<number>{NUM})(?P<of>/\d+)?(?P<per>%?)(?=\.?(?:$|[\s,;|)\]}}]))",
    re.IGNORECASE,
)
# Epoch 3/30   'epoch': 2.5   Epoch(train) [1]   ep 4
EPOCH = re.compile(
    r"(?<![\w.])['\"]?(?:epochs?(?:\(\w+\))?|ep|(?P<phase>train): ?(?=\d+ \[))['\"]?[ \t]*[:=#]?[ \t]*[\[(]?[ \t]*"
    r"(?P<at>\d+(?:\.\d+)?)"
    r"(?:[ \t]*(?:/|of)[ \t]*\d+)?",
    re.IGNORECASE,
)
# step 10   global_step=500   iter [100/500]   Batch 3 of 20
STEP = re.compile(
    r"(?<![\w.])['\"]?(?:(?:global[_ ]?)?steps?|iters?|iterations?|batch|round)['\"]?[ \t]*[:=#]?[ \t]*[\[(]?[ \t]*(?P<at>\d+)"
    r"(?:[ \t]*(?:/|of)[ \t]*(?P<of>\d+))?(?![\d.]*\d*[a-zA-Z/.])",
    re.IGNORECASE,
)
# [12/100]   [640/60000 (1%)]
COUNTER = re.compile(r"\[[ \t]*(?P<at>\d+)[ \t]*/[ \t]*(?P<of>\d+)[ \t]*(?:\([ \t]*[\d.]+%\))?\]")
# [100]<tab>train-rmse:0.31, as xgboost prints
FIRST = re.compile(r"\[(?P<at>\d+)\](?=\s)")
# ===== Epoch 3/10 =====
HEADING = re.compile(
    r"[\s=*#>|_\-\[(]*epoch[ \t]*[:#]?[ \t]*\[?(\d+)(?:[ \t]*(?:/|of)[ \t]*\d+)?[\s=*#<|_\-:\])]*$", re.IGNORECASE
)
# epoch     train_loss  valid_loss  accuracy  time, as fastai prints
TABLE = re.compile(r"\s*(epoch|step|iter|iteration)((?:\s+[A-Za-z_][\w/@-]*)+)\s*$", re.IGNORECASE)
CLASSES = re.compile(rf"\s+accuracy\s+({NUM})\s+\d+\s*$")
"""The accuracy line of scikit-learn's classification_report."""
FOREIGN = re.compile(
    r" {4}|[+>$#]|- {2,}|E  |diff |@@|(?:flags|metrics|source): {2,}|"
    r"[|*\\/\s]*(?:\S+\s+)?(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\s|\S+\.\w+:\d+:(?:\S|\s{2})|"
    r".*(?:::|://|\);|(?:^|\s)--?[A-Za-z]|[=!]=|\b(?:completed|terminated|error)\b.* in \d[\d.]*s: |"
    r"\b(?:ENV|ARG|export|SET|WHERE|SELECT|UPDATE|assert|return|def|import)\b)"
)
"""Lines of programs that show code, commits, commands and addresses."""
PREFIX = re.compile(
    r"(?:[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[ T]?)?\d\d:\d\d:\d\d(?:[.,]\d+)?Z?[\])]?[ \t:|-]*|"
    r"\[?\b(?:DEBUG|INFO|WARNING|root)\b\]?[ \t:|-]*|[\w.]+ - (?=INFO|DEBUG)|\d+%[ \t|]*|\d+/\d+[ \t]+)+"
)
"""Text that a logger or a progress bar puts before a line."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """Content of a line: metrics by name, and the step if the line names one."""

    values: dict[str, float] = field(default_factory=dict)
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A name with its qualifiers and a number, and their offsets in the line."""

    name: str
    value: float
    start: int
    end: int
    is_measure: bool
    is_companion: bool


EMPTY_LINE = LogLine()


class LogLines:
    """A reader of one stream, line by line: a heading or a table head applies to the lines below it."""

    def __init__(self) -> None:
        self._epoch: float | None = None
        self._lowest = 1.0
        self._columns: tuple[str, ...] = ()
        self._others = 0

    @property
    def is_in_table(self) -> bool:
        """Returns whether a table has begun, so that lines without known words may be its rows."""
        return bool(self._columns)

    def read(self, line: str) -> LogLine:
        """Returns the metrics and the step in a line; most lines have neither."""
        if len(line) > MAX_LINE:
            return EMPTY_LINE
        if heading := HEADING.match(line):
            return LogLine(step=self._enter(float(heading[1])))
        if head := TABLE.match(line):
            names = tuple(head[2].split())
            self._columns, self._others = (names if any(map(is_measure, names)) else ()), 0
            return EMPTY_LINE
        if self._columns and (row := self._row(line)):
            return row
        if kind := CLASSES.match(line):
            return LogLine({"accuracy": float(kind[1])})
        return EMPTY_LINE if FOREIGN.match(line) else self._pairs(line)

    def _row(self, line: str) -> LogLine | None:
        """Returns the metrics in a row of the current table; None if the line is not a row."""
        cells = line.split()
        # one cell for the step, and one for each column
        if len(cells) != len(self._columns) + 1 or not cells[0].isdigit():
            self._others += 1
            if self._others > MAX_OTHER_LINES:
                self._columns = ()
            return None
        self._others = 0
        numbers = {name: parse_float(cell) for name, cell in zip(self._columns, cells[1:], strict=True)}
        values = {name: number for name, number in numbers.items() if number is not None}
        return LogLine(values, float(cells[0])) if values else None

    def _pairs(self, line: str) -> LogLine:
        """Returns the metrics in the pairs of names and numbers of a line."""
        prefix = PREFIX.match(line)
        start = prefix.end() if prefix else 0
        step, counters = self._step(line, start)
        pairs = find_pairs(line, start, counters)
        measures = [pair for pair in pairs if pair.is_measure]
        company = [pair for pair in pairs if pair.is_companion]
        # two companions in one line are enough: `precision 0.8 recall 0.7`
        if not measures and len(company) < 2:
            return EMPTY_LINE
        if (
            not counters
            and (len(pairs) < 2 or " = " in line)
            and not stands_alone(line[start:], pairs[0], is_prefixed=start > 0)
        ):
            return EMPTY_LINE
        return LogLine({pair.name: pair.value for pair in pairs}, step)

    def _step(self, line: str, start: int) -> tuple[float | None, list[tuple[int, int]]]:
        """Returns the step of a line, or None, and the spans of the text that names it."""
        epoch, step = EPOCH.search(line, start), STEP.search(line, start)
        counter = COUNTER.search(line, epoch.end() if epoch else start) or FIRST.match(line, start)
        counters = [one.span() for one in (epoch, step, counter) if one]
        if epoch:
            self._enter(float(epoch["at"]))
        within = step or counter
        if not within:
            return (float(epoch["at"]) if epoch else None), counters
        at, total = float(within["at"]), within.groupdict().get("of")
        if total is None and counter and counter is not within:
            total = counter.groupdict().get("of")
        if self._epoch is None or (epoch and not float(epoch["at"]).is_integer()):
            return at, counters
        if total is None:  # a global step counts on; one without a total may restart with each epoch, and is no step of the run
            return (at if not epoch or (within is step and "global" in within[0].lower()) else None), counters
        # steps count on over the epochs: with 100 batches, the second epoch begins at 100
        return (self._epoch - self._lowest) * float(total) + at, counters

    def _enter(self, epoch: float) -> float:
        """Sets the current epoch and returns it."""
        # programs count epochs from 0 or from 1
        if self._epoch is None or epoch < self._lowest:
            self._lowest = min(1.0, epoch)
        self._epoch = epoch
        return epoch


def find_pairs(line: str, start: int, counters: list[tuple[int, int]]) -> list[Pair]:
    """Returns the pairs of a line that stand where metrics usually do."""
    pairs: list[Pair] = []
    phase, end = "", start
    for match in PAIR.finditer(line, start):
        key, is_blank = match["key"], not match["sign"].strip()
        if (
            any(first <= match.start("key") < last for first, last in counters)
            or FILE_NAME.search(key)
            or key.lower() in NO_METRICS
        ):
            end = match.end()
            continue
        words, own, is_alone = split_qualifiers(
            line, max([end, *(last for _, last in counters if last <= match.start())]), match.start()
        )
        phase = own or phase
        name = "_".join([*words, key.replace("'s ", "_")])
        if line[match.start() - 1 : match.start()] == "(" and line[: match.start() - 1][-1:].isalnum():
            return []  # arguments of a call, such as `Adam(lr=0.1)`, are not metrics
        if is_blank and not (is_alone and ends_field(line, match.end())):
            continue
        value = parse_float(match["number"])
        if value is None or (match["of"] and (is_blank or not is_measure(name))):
            continue
        if match["of"]:
            # `Accuracy: 95/100` is a fraction
            value = value / float(match["of"][1:]) if float(match["of"][1:]) else value
        if phase and not PHASES.intersection(re.split(r"[\W_]", name.lower())):
            name = f"{phase}_{name}"
        pairs.append(Pair(name, value, match.start(), match.end(), is_measure(name), is_companion(name)))
        end = match.end()
    return pairs


def split_qualifiers(line: str, start: int, end: int) -> tuple[list[str], str, bool]:
    """Examines the text between a pair and the one before it.

    Returns the words that belong to the name, the phase (`train`, `val`) of this and the following pairs, and a flag. The flag
    is true if no other word is there.
    """
    parts = re.split(r"[,;|:()\[\]{}\t]|\s-+\s|\s{2,}", line[start:end])
    words = parts[-1].split()
    own: list[str] = []
    while words and words[-1].lower().strip("*") in QUALIFIERS:
        own.insert(0, words.pop())
    phase = next((part for part in parts[:-1] if part.strip().lower().removesuffix(" set") in PHASES), "")
    phase = phase.strip().split()[0] if phase else next((word for word in own if word.lower() in PHASES), "")
    return own, phase, all(not word.strip("*.!>=#-") for word in words)


def ends_field(line: str, end: int) -> bool:
    """Returns whether a new field begins after a number that has no sign before it."""
    rest = line[end:]
    if not rest.strip() or rest[0] in ",;|)]}\t" or re.match(r"\s+[|(-]|\s{2,}", rest):
        return True
    # `loss 0.3 lr 1e-3`: the next name shows that the number has ended
    following = re.match(r"\s+([A-Za-z_][\w@/]*)\s+[-+.\d]", rest)
    return following is not None and (is_companion(following[1]) or following[1].lower() in FOLLOWERS)


def stands_alone(line: str, pair: Pair, *, is_prefixed: bool) -> bool:
    """Returns whether a line is one pair and nothing else: `Test accuracy: 0.91`, `loss = 0.5`."""
    match = re.fullmatch(r"(\s{0,3})((?:[A-Za-z][\w^-]* ){0,4})([A-Za-z][\w^-]*)\s*([:=])\s*\S+?\.?\s*", line)
    if not match:
        return False
    words = match[2].lower().split()
    if NEVER.intersection(words) or (match[4] == "=" and match[3].isupper()):
        return False
    return bool(words) or is_prefixed or (match[4] == "=" and not match[1]) or pair.name != match[3]


def split_name(name: str) -> list[str]:
    """Splits a name into its words in lower case: `val_loss`, `Acc@1`."""
    return [word for word in re.split(r"[\W_]+", name.lower().replace("^", "")) if word and not word.isdigit()]


def is_measure(name: str) -> bool:
    """Returns whether a name alone shows that its number measures quality."""
    words = split_name(name)
    if not words or NEVER.intersection(words):
        return False
    # loss2 is a loss, and f1 keeps its digit
    ends = {word.rstrip("0123456789") or word for word in (words[0], words[-1])} | {words[0], words[-1]}
    if MEASURES & ends:
        return True
    # an error alone may be any failure: `error 404`
    if "error" in words:
        return bool(STATISTICS.intersection(words))
    return (words[-1] == "score" and bool({"f1", "r2", "auc", "accuracy", "test", "val", "cv", "mean"} & set(words))) or (
        words[-1] in {"l1", "l2"} and len(words) > 1
    )


def is_companion(name: str) -> bool:
    """Returns whether a name counts as a measure next to another one."""
    words = split_name(name)
    return is_measure(name) or (bool(words) and words[-1] in COMPANIONS and not NEVER.intersection(words))
