"""Runs of every kind, and expressions about them: all that answer `--where` answer as gitrun/model/filters.py does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from runs_made_up import WHEN, made_up

from gitrun.model.metrics import Metrics, Summary

NAN, INF = float("nan"), float("inf")
FLAGS = (
    {}, {"lr": 0.1}, {"lr": 0.05, "opt": "adam", "deep": True}, {"lr": 1, "opt": "sgd", "deep": False}, {"lr": True},
    {"lr": "0.1"}, {"lr": 1.0, "n": 0, "text": ""}, {"lr": -0.0, "n": 1, "text": "0"}, {"lr": 1e-5, "n": 2**53 + 1},
    {"lr": 1e300, "n": 2**53}, {"lr": INF}, {"lr": -INF}, {"lr": NAN}, {"opt": "Adam"}, {"opt": "ada m", "text": "it's"},
    {"opt": "größe", "größe": 3}, {"text": "日本 語", "opt": "\U0001f600"}, {"text": "\uffee", "opt": "z"},
    {"lst": [1, [2, "c"], "]"], "text": "1.10"}, {"lst": [], "text": "True"}, {"lst": [1.0, 2], "text": "None"},
    {"lst": ["a", "b"], "text": "a, b"}, {"lst": [True], "text": "yes"}, {"status": "odd", "loss": 5},
    {"a.b": 1, "x-y": 2, "no": 3, "and": 4}, {"text": "tab\there"}, {"text": '"quoted"', "n": 7},
    {"lr": 0.30000000000000004}, {"n": -5, "lr": 0.3}, {"n": 10**30}, {"n": -(10**30), "lst": [10**30]},
    {"big": 123456789012345678}, {"text": "1e-05", "deep": "true"},
)  # fmt: skip
"""Flags of the runs, a run each: missing and odd numbers, booleans, texts like numbers, lists, names like words of filters."""
METRICS = (
    {}, {"loss": 0.3, "bad": NAN}, {"loss": 0.07341234567}, {"loss": 0.0734123}, {"loss": NAN}, {"loss": INF},
    {"loss": 1.0, "acc": 0.5}, {"größe": 2.0}, {"loss:min": 9.0}, {"deep": 0.0},
)  # fmt: skip
SUMMARY = Summary(2.0, 0.3, 0.1, 2.5, 7)
STATUSES = ("completed", "error", "terminated", "running", "pending", "staged")
LABELS = (None, "best", "1.10", "best so far", "ünï", "completed", "")
TAGS = ((), ("paper",), ("fig 2", "5", "1.10"), ("paper", "draft"), ("日本",))


def run_number(at: int) -> object:
    """The run at this place of FLAGS; what else it has goes round in circles of other lengths."""
    metrics = METRICS[at % len(METRICS)]
    when = None if at % 7 == 5 else WHEN + timedelta(days=at, hours=-at, microseconds=at * 333_333)
    run = made_up(
        f"{at:x}{'3fa2c1d8' * 5}"[:40], ("train.py", "eval.py", "-m pkg.train", "make all", "train.py+")[at % 5],
        flags=FLAGS[at], label=LABELS[at % len(LABELS)], marked=at % 4 == 0,
    )  # fmt: skip
    summaries = {"loss": SUMMARY} if "loss" in metrics and at % 2 else {}
    attempt = replace(
        run.attempt, metrics=Metrics(metrics, summaries), status=STATUSES[at % len(STATUSES)], started=when,
        stopped=when and when + timedelta(seconds=at), duration=None if at % 3 == 0 else at / 10,
        exit_status=(None, 0, 1, -15)[at % 4],
        branch=(None, "main", "topic/a", "1")[at % 4], base=(None, "b" * 40)[at % 2], batch=(None, None, "c" * 40)[at % 3],
        trial=(None, None, at)[at % 3], pruned=3 if at % 12 == 2 else None,
    )  # fmt: skip
    return replace(run, attempt=attempt, notes=replace(run.notes, tags=TAGS[at % len(TAGS)]))


RUNS = tuple(run_number(at) for at in range(len(FLAGS)))
VALUES = (
    "0.1", "0.05", "1", "1.0", "true", "yes", "no", "False", "null", "nan", "inf", "-inf", "+1", "-5", ".1", "1.", "1e-5",
    "1e300", "1e999", "007", "'0.1'", '"0.1"', "adam", "9007199254740993", "9007199254740992", "0.30000000000000004", "0.3",
    "1000000000000000000000000000000",
)  # fmt: skip
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "==", " contains ", " not contains ")
EXPRESSIONS = (
    *(f"lr{operator}{value}" for operator in OPERATORS[:6] for value in VALUES),
    *(f"n{operator}{value}" for operator in ("=", "<", ">=") for value in VALUES[20:]),
    *(f"text{operator}{value}"
      for operator in OPERATORS
      for value in ("1.10", "a", "''", "'it''s'", "true", "null", "1e-5", "0", '"tab\\there"')),
    *(f"{name} {operator} {value}" for name in ("opt", "flag:opt") for operator in ("=", "<", ">", "in", "not in", "contains")
      for value in ("adam", "[adam, sgd]", "größe", "'ada m'", "z", "\U0001f600", "\uffee", "[]", "[adam]*2")),
    *(f"loss{aspect}{operator}{value}"
      for aspect in ("", ":min", ":max", ":first", ":last", ":count", ":mean", ":")
      for operator in ("<", "=", "!=")
      for value in ("0.3", "0.0734123", "7", "nan", "9")),
    *(f"{name}<1"
      for name in (
        "metric:loss", "flag:loss", "metric:lr", "flag:", "metric:", "größe", "bad", "a.b", "x-y", "no", "and",
        "deep", "missing", "metric:deep")),
    *(f"tag{operator}{value}"
      for operator in ("=", "!=", " contains ", " not contains ", " in ", "<")
      for value in ("paper", "5", "1.10", "'fig 2'", "[paper, 5]", "日本")),
    *(f"label{operator}{value}" for operator in OPERATORS for value in ("best", "1.10", "'best so far'", "ü")),
    *(f"started{operator}{value}" for operator in ("=", "!=", "==") for value in
            ("2026", "2026-11", "2026-11-22", "2026-11-22T10:14", "'2026-11-22 10:14:03'",
       "2026-11-22T10:14:03.123456", "2026-12", "2026-11-22T10:14:03.123456Z", "2026-")),
    *(f"{name}{operator}{value}" for name in ("started", "stopped") for operator in ("<", ">=", ">") for value in
            ("2026-12-01", "2026-12-01T12:00:00Z", "2026-11-22T10:14:03.123456", "2026-12-01T12:00:00+02:00",
       "'2026-12-01 12:00'", "2027-01-31T23:59:59.999999-11:30")),
    *(f"{name} = {value}"
      for name in (
        "id", "base", "batch", "branch", "operation", "op", "status", "trial", "exit_status", "marked", "duration")
        for value in
            ("3fa2c1d8", "b" * 40, "c" * 40, "main", "1", "train.py", "completed", "pruned", "2", "0", "-15", "true",
       "0.1", "'-m pkg.train'", "null")),
    "started in [2026-11-22, 2026-12]", "started not in [2026-11]", "started contains 2026-11-22",
    "started not contains 2026-11-22", "id contains 3fa2", "not id contains a3fa", "op contains train",
    "operation in [train.py, 'make all']", "status in [completed, error]", "exit_status<0", "duration>1",
    "duration<=0.4 and trial>=2", "branch<m", "branch contains /", "marked!=true", "not marked", "lr", "not lr", "text",
    "lst", "n", "missing", "not missing", "loss", "bad", "deep", "not deep", "not not deep", "tags", "label", "started",
    "lst=[1, [2, c], ']']", "lst=[]", "lst!=[]", "lst=[1, 2]", "lst=[1.0, 2.0]", "lst contains 1", "lst contains true",
    "lst contains [2, c]", "lst=a", "lst in [a, 1]", 'lst=[\'a\', "b"]', "lst=[[1]*3]", "lst<[1]",
    "lst=[1000000000000000000000000000000]", "(lr<0.1)", "((lr<0.1))", "not (lr<0.1 or opt=adam)",
    "lr<0.1 or opt=adam and deep", "(lr<0.1 or opt=adam) and deep", "not lr<0.1 and not opt=adam",
    "lr<0.1 and status=completed", "lr<0.1 and(status=completed)or deep", "no=3", "and=4", "status=odd", "flag:status=odd",
    'text=\'"quoted"\'', 'text="\\"quoted\\""', 'text="\\u65e5\\u672c \\u8a9e"', "text='日本 語'", "text<'\uffef'", "text>'😀'",
    "\tlr\t<\t0.1 ", "lr\xa0<\u20030.1", "big=123456789012345678", "big=123456789012345679", "big>123456789012345677",
    "flag:größe=3", "metric:größe=2", "größe:last=2", "loss:min:min=9", "lr in [0.1, 1, true]", "lr in [nan]",
    "lr not in [0.1]", "lr in 0.1",
)  # fmt: skip
UNREADABLE = (
    "", " ", "lr<", "lr<0.1 status=completed", "and and", "(lr<1", "lr<1)", "lr<1 and", "not", "<1", "'a'=1", "lr < <",
    "lr=]", "lr=a,b", "lr='open", "started<yesterday", "started=soon", "started<2026-11", "started in [soon]",
    "stopped>=2026-02-30", "started<2026-13-01", "(" * 150 + "lr", "not " * 150 + "lr", "lr in", "lr not", "lr not contains",
    "日 = ,", "\U0001f600 ,", "lr=1 or or lr=2", "()",
)  # fmt: skip


def moment_text(value: object) -> object:
    """A value as pages have it: a time is the number of its microseconds since 1970."""
    if isinstance(value, datetime):
        return round((value - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(microseconds=1))
    return value
