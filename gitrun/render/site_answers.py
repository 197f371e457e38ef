"""Collects what a static site has of the runs: the answers of `feed` and `feed_pages`, without what is private, in packs.

A pack is a JSON object. `gitrun/share/view/site.js` reads them and answers the pages in place of a server.

| pack | what it has |
|---|---|
| `runs` | `ids`, newest first; `size`, the runs of each pack of details; `blocks` of rows, by address |
| `columns` | exact columns that a filter may ask for, by name |
| `run-<n>` | `runs`: `run`, `files`, `context`, `lineage`, `batch`, `series`, `output`; by the older side `diffs`, `patches` |
| `files-<id>` | contents of files in base64, by path |
| `commits` | the commits of HEAD with their runs |

What the runs of a pack share is there once: `environments`, `bases` (commits), and `keys` of an attempt, which lacks those that
are equal to the run's. What is empty is left out, as is the lineage of a run without relatives.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from gitrun import store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitrunError
from gitrun.model.run import BATCH, RUNNING, STEPS
from gitrun.model.settings import RECORDED
from gitrun.model.text import count_text
from gitrun.render.feed import full_json
from gitrun.render.feed_pages import (
    BASE,
    batch_answer,
    commits_answer,
    context_answer,
    diff_answer,
    files_answer,
    lineage_answer,
    patch_answer,
)
from gitrun.render.text import json_safe
from gitrun.store.columns import Part, Snapshot
from gitrun.views.contents import LOCAL, PRODUCED, SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project

IN_A_PACK = 25
"""Runs whose details are downloaded together."""
FIRST, BLOCK, DIGITS, SIGNIFICANT = 200, 5_000, 17, 6
"""Runs of the first block and of the others, and digits of exact numbers and of drawn ones, as the pages ask for them."""
OUTPUT, LARGEST = 64 << 10, 1 << 20
"""The end of an output that a site has, and the largest file, in bytes."""
NONE, IMAGES, ALL = "none", "images", "all"
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"})
ASKED = ("id", "batch", "base", "started", "stopped", "exit_status")
"""Columns that the page asks for only if a filter names them."""
ASPECTS = ("first", "min", "max", "count")
# /home/ada/p/.git/gitrun/slots/3/tree/
SLOT = re.compile(r"[^\s\"'`(\[]*/gitrun/slots/[0-9]+/tree/")


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """Says what a site has beside runs. `files` is NONE, IMAGES or ALL, of which none is above LARGEST."""

    files: str = IMAGES
    has_source: bool = False
    has_authors: bool = False


@dataclass(slots=True)
class LeftOut:
    """Counts what a site does not have of its runs."""

    files: int = 0
    outputs: int = 0


class DetailsPack:
    """The details of some runs, with what they share once."""

    def __init__(self) -> None:
        self._runs: list[dict[str, Any]] = []
        self._environments: dict[str, tuple[int, Any]] = {}
        self._bases: dict[str, Any] = {}
        self._keys: list[str] = []

    def add(self, details: dict[str, Any]) -> None:
        """Adds the details of a run."""
        run, context = details["run"], details["context"]
        self._keys = list(run["attempts"][-1])
        attempts = [{key: value for key, value in attempt.items() if run[key] != value} for attempt in run["attempts"]]
        number, _ = self._environments.setdefault(str(run["environment"]), (len(self._environments), run["environment"]))
        shared = {key: value for key, value in run.items() if key != "id"} | {"attempts": attempts, "environment": number}
        if base := context["base"]:
            self._bases[base["id"]] = base
        rest = {key: value for key, value in details.items() if value or key == "series"}
        self._runs.append(rest | {"run": shared, "context": context | {"base": base["id"] if base else None}})

    def value(self) -> dict[str, Any]:
        """Returns the pack."""
        environments = [environment for _, environment in self._environments.values()]
        return {"runs": self._runs, "environments": environments, "bases": self._bases, "keys": self._keys}


class SiteAnswers:
    """The packs of a site, made one after the other; `size` runs share one. `left_out` is complete after the last pack.

    `on_progress` is called with the numbers of runs written and to write.
    """

    def __init__(
        self,
        project: Project,
        runs: Sequence[Run],
        options: SiteOptions,
        size: int = IN_A_PACK,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.runs = tuple(run for run in runs if run.status != RUNNING)
        self._known, self._on_progress = frozenset(run.id for run in self.runs), on_progress
        self._running = len(runs) - len(self.runs)
        self._project, self._options, self._size, self._counts = project, options, size, LeftOut()
        self._private = project.runs.private_directories()

    def packs(self) -> Iterator[tuple[str, Any]]:
        """Yields name and value of each pack."""
        # the answers of one run ask git several times
        with self._project:
            yield from self.list_packs()
            related = self.find_related()
            for number, start in enumerate(range(0, len(self.runs), self._size)):
                pack = DetailsPack()
                for run in self.runs[start : start + self._size]:
                    files = self.read_files(run)
                    details = self.details(run, has_relatives=run.id in related)
                    pack.add(self.without_private(details) | {"stored": sorted(files)})
                    if files:
                        yield f"files-{run.id}", files
                yield f"run-{number}", pack.value()
                if self._on_progress:
                    self._on_progress(min(start + self._size, len(self.runs)), len(self.runs))
            yield "commits", self.without_private(self.commits())

    @property
    def left_out(self) -> list[str]:
        """Returns what the site does not have, for people."""
        options, counts = self._options, self._counts
        words = {
            "all code": not options.has_source, "names of authors": not options.has_authors,
            f"{count_text(counts.files, 'file')} of runs": counts.files > 0,
            f"the beginning of {count_text(counts.outputs, 'output')}": counts.outputs > 0,
            f"{count_text(self._running, 'running run')}": self._running > 0,
        }  # fmt: skip
        return [text for text, is_true in words.items() if is_true]

    def list_packs(self) -> Iterator[tuple[str, Any]]:
        """Yields the packs of the page of all runs."""
        with self._project.index() as index:
            snapshot = restrict_snapshot(store.columns.read_snapshot(index), [run.id for run in self.runs])

            def read(part: Part) -> dict[str, Any]:
                value: dict[str, Any] = self.without_private(store.columns.read_columns(index, snapshot, part))
                return value

            blocks = {f"/api/runs?limit={FIRST}": read(Part(0, FIRST))}
            for start in range(FIRST, len(self.runs), BLOCK):
                blocks[f"/api/runs?start={start}&limit={BLOCK}&stamp={snapshot.stamp}"] = read(Part(start, BLOCK))
            ids = [run.id for run in self.runs]
            yield "runs", {"ids": ids, "size": self._size, "version": store.columns.VERSION, "blocks": blocks}
            yield "columns", read(Part(columns=tuple(asked_columns(blocks.values())), digits=DIGITS))["columns"]

    def find_related(self) -> set[str]:
        """Returns the ids of runs that may have relatives: attempts, trials, steps, or runs of which one needs another."""
        related = {
            run.id for run in self.runs if run.attempt.kind in {BATCH, STEPS} or run.attempt.batch or run.attempt.id != run.id
        }
        for run, basis in zip(self.runs, self._project.runs.read_bases(self.runs), strict=True):
            if basis.needs or basis.parent:
                related |= {run.id, *(need.run_id for need in basis.needs)}
        return related

    def details(self, run: Run, *, has_relatives: bool) -> dict[str, Any]:
        """Returns what the pages of one run ask for."""
        project = self._project
        output = project.runs.replace_paths(run, project.read_file(run, "output"))
        if len(output) > OUTPUT:
            self._counts.outputs += 1
        files = files_answer(project, run.id)["files"]
        return {
            "run": self.shared_run(run),
            "files": [file for file in files if self._options.has_source or file["part"] != SOURCE],
            "context": self.shared_context(run),
            "lineage": lineage_answer(project, run.id) if has_relatives else None,
            "batch": batch_answer(project, run.id) if run.attempt.kind == BATCH else None,
            "series": read_series(project, run),
            "output": output[-OUTPUT:].decode(errors="replace"),
            **self.differences(run),
        }

    def shared_run(self, run: Run) -> dict[str, Any]:
        """Returns a run without the names of people and machines, and without variables that a setting names."""
        value: dict[str, Any] = json_safe(full_json(self._project, run))
        for attempt in (value, *value["attempts"]):
            attempt["worker"] = None
        if variables := value["environment"].get("variables"):
            value["environment"]["variables"] = {name: text for name, text in variables.items() if name in RECORDED}
        if not self._options.has_authors:
            for comment in value["comments"]:
                comment["author"] = ""
            # git's words on a signature name who signed
            value["signature"] = value["signature"] if value["signature"] == "unsigned" else "signed"
        return value

    def shared_context(self, run: Run) -> dict[str, Any]:
        """Returns where a run comes from. Paths beside the repository's own and the run before it belong to the code."""
        value = context_answer(self._project, run.id)
        if not self._options.has_source:
            value |= {"left_out": [], "lent": [], "previous": None}
        if value["base"]:
            value["base"] = self.shared_commit(value["base"])
        return value

    def shared_commit(self, commit: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a commit with those of its runs that are here."""
        runs = {kind: [run for run in commit[kind] if run["id"] in self._known] for kind in ("exact", "changed")}
        return {**commit, **runs, "author": commit["author"] if self._options.has_authors else ""}

    def commits(self) -> dict[str, Any]:
        """Returns the commits of HEAD; none before the first one."""
        if not self._project.is_commit("HEAD"):
            return {"commits": [], "more": False}
        value = commits_answer(self._project)
        return {"commits": list(map(self.shared_commit, value["commits"])), "more": False}

    def differences(self, run: Run) -> dict[str, Any]:
        """Returns the differences of a run's code from its commit and from the run before it, by the older side."""
        diffs, patches = dict[str, Any](), dict[str, Any]()
        if not self._options.has_source:
            return {"diffs": diffs, "patches": patches}
        previous = self._project.runs.run_before(run)
        pairs = {BASE: (run.id, BASE)} | ({previous.id: (previous.id, run.id)} if previous else {})
        for name, pair in pairs.items():
            # the commit of a fetched run can be missing
            try:
                diffs[name] = diff_answer(self._project, *pair)
                patches[name] = patch_answer(self._project, *pair) | {"more": 0}
            except GitrunError:
                continue
        return {"diffs": diffs, "patches": patches}

    def read_files(self, run: Run) -> dict[str, str]:
        """Returns the contents of files that the run produced, and counts those that are left out."""
        files_read: dict[str, str] = {}
        for content in self._project.runs.list_files(run, (PRODUCED, LOCAL)):
            is_wanted = self._options.files == ALL or (
                self._options.files == IMAGES and PurePosixPath(content.path).suffix.lower() in PICTURES
            )
            if is_wanted and content.here and (content.size or 0) <= LARGEST:
                files_read[content.path] = base64.b64encode(self._project.read_file(run, "file", content.path)).decode()
            else:
                self._counts.files += 1
        return files_read

    def without_private(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Returns a JSON value whose texts name no directory of this machine."""
        if isinstance(value, str):
            return self.without_directories(value) if "/" in value else value
        if isinstance(value, dict):
            return {self.without_private(name): self.without_private(inner) for name, inner in value.items()}
        return list(map(self.without_private, value)) if isinstance(value, list | tuple) else value

    def without_directories(self, text: str) -> str:
        """Returns a text without the directories of this machine."""
        text = SLOT.sub("", text)
        for directory, shown in self._private.items():
            text = text.replace(directory, shown)
        return text


def restrict_snapshot(snapshot: Snapshot, ids: Sequence[str]) -> Snapshot:
    """Returns a snapshot of these runs alone, in this order."""
    states = {run_id: snapshot.states[run_id] for run_id in ids if run_id in snapshot.states}
    stamp = hashlib.sha256("\n".join(f"{run_id} {state}" for run_id, state in states.items()).encode()).hexdigest()[:16]
    batches = tuple(run_id for run_id in snapshot.batches if run_id in states)
    return replace(snapshot, stamp=stamp, states=states, broken=(), batches=batches)


def asked_columns(blocks: Any) -> Iterator[str]:  # noqa: ANN401 - values of a dict
    """Yields the names of columns that the page of all runs may ask for, beside those that it has."""
    yield from ASKED
    for block in blocks:
        for sort in ("flag", "metric"):
            yield from (f"{sort}:{name}" for name in block["left_out"][f"{sort}s"])
        for name, column in block["metrics"].items():
            yield from (f"metric:{name}:{aspect}" for aspect in ASPECTS)
            if column.get("rounded"):
                yield f"metric:{name}"
        yield from (f"metric:{name}:{aspect}" for name in block["left_out"]["metrics"] for aspect in ASPECTS)


def read_series(project: Project, run: Run) -> dict[str, Any]:
    """Returns the curves of all metrics of a run: steps and values. Steps that count up by one are the first of them."""
    curves = project.runs.read_curves([run], list(run.metrics))
    return {curve.metric: [encode_steps(curve.steps), encode_values(curve.values)] for curve in curves}


def encode_steps(steps: Sequence[float]) -> float | list[float]:
    """Returns the steps of a curve, or the first of them if they count up by one."""
    plain = [int(step) if step.is_integer() else step for step in steps]
    return plain[0] if len(plain) > 1 and plain == list(range(int(plain[0]), int(plain[0]) + len(plain))) else plain


def encode_values(values: Sequence[float]) -> list[Any]:
    """Returns the values of a curve in six digits, which is what a page shows of them at most."""
    value: list[Any] = json_safe(list(map(round_value, values)))
    return value


def round_value(value: float) -> float:
    """Returns a value in six digits, or in full if a text of fewer digits would not be the same after that."""
    short = float(f"{value:.{SIGNIFICANT}g}")
    return short if all(f"{short:.{digits}g}" == f"{value:.{digits}g}" for digits in range(2, SIGNIFICANT)) else value
