"""Imported runs as the input of `git fast-import`: attempts, results and annotations, with the files that belong to them."""

from __future__ import annotations

import os
from errno import EDQUOT, ENOSPC
from itertools import islice
from typing import TYPE_CHECKING

from gitrun import store
from gitrun.dataclass import replace
from gitrun.extras.importers.drafts import LONGEST, file_size, open_content, seconds
from gitrun.extras.importers.foreign_files import clean_text
from gitrun.extras.importers.imported import ImportedFile, LeftOut
from gitrun.git.locks import make_private_directory
from gitrun.git.objects import fsync
from gitrun.model import encode, record_files
from gitrun.model.batch import Trial, count_trials
from gitrun.model.decode import MAX_TOML
from gitrun.model.digest import sha256
from gitrun.model.metrics import CollectedMetrics, MetricCollector
from gitrun.model.plan import Outcome
from gitrun.model.provenance import StepRun
from gitrun.model.run import COMPLETED, DIRECTORY, File, Notes, kept_name
from gitrun.model.tree import EXECUTABLE, FILE, TREE
from gitrun.store.commits import data_command, quote_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from gitrun.extras.importers.drafts import Draft
    from gitrun.extras.importers.imported import ImportedRun
    from gitrun.git.exe import Git
    from gitrun.model.batch import Objective
    from gitrun.model.metrics import Metrics

BRANCH = b"refs/gitrun/outbox/import"
"""Branch that fast-import commits on. It is reset before the end, and never becomes a ref."""
RESET = b"reset %s\n\n" % BRANCH
END = RESET + b"done\n"
MOST_COMMENTS = 1_000
MOST_POINTS = 1_000_000
"""Most values of metrics that are read of one run."""
LARGEST_OUTPUT, HALF = store.attempts.LARGEST_OUTPUT, store.attempts.KEPT_HALF


def commit_head(mark: int, author: str, stamp: int, message: bytes, parent: str | None) -> bytes:
    """Returns the beginning of a commit, up to its parent."""
    who = f"{author} {stamp} +0000".encode()
    head = RESET + b"commit %s\nmark :%d\nauthor %s\ncommitter %s\n" % (BRANCH, mark, who, who)
    return head + data_command(message) + (f"from {parent}\n".encode() if parent else b"")


def attempt_pieces(draft: Draft, mark: int, written: set[str]) -> Iterator[bytes]:
    """Yields an attempt. `written` has the ids of blobs that were written before, and gets those of this one."""
    for blob in draft.blobs:
        if blob.id not in written:
            written.add(blob.id)
            yield b"blob\n" + data_command(b"".join(open_content(blob.content)))
    yield commit_head(mark, draft.author, seconds(draft.run.created), draft.message, draft.plan.source.base)
    yield b"deleteall\n"
    if draft.run.source_tree:
        yield f'M 0{TREE} {draft.run.source_tree} ""\n'.encode()
        yield from (b"D " + quote_path(os.fsencode(path)) + b"\n" for path in (DIRECTORY, *draft.run.source_without))
    for blob in draft.blobs:
        yield f"M {blob.mode} {blob.id} ".encode() + quote_path(os.fsencode(blob.path)) + b"\n"


class ResultWriter:
    """Writes what runs left: results, annotations, and files that are kept beside git.

    `tips` are the last commits of the runs by key, as far as they are known. `left_out` are parts of runs.
    """

    def __init__(self, git: Git, drafts: Mapping[str, Draft], tips: Mapping[str, str]) -> None:
        self.left_out: list[LeftOut] = []
        self.tips = dict(tips)
        self._git, self._drafts = git, drafts
        self._metrics: dict[str, Metrics] = {}
        self._trials: dict[str, list[Draft]] = {}
        for draft in drafts.values():
            if draft.run.batch in drafts:
                self._trials.setdefault(draft.run.batch, []).append(draft)

    def pieces(self, draft: Draft, mark: int) -> Iterator[bytes]:
        """Yields the result of a run, and its annotations as a second commit. The mark ends up at the last of the two."""
        run = draft.run
        directory = store.kept_files.kept_directory(self._git, draft.run_id, draft.run_id)
        collected = collect_points(run)
        self._metrics[run.key] = collected.metrics()
        ended = run.stopped or run.started or run.created
        outcome = self._outcome(draft, self._metrics[run.key])
        subject = encode.commit_message(encode.outcome_subject(outcome), "result")
        yield commit_head(mark, draft.author, seconds(ended), subject, draft.run_id)
        files = list[File]()
        for file in draft.stored:
            if (data := self._read(draft, file)) is not None:
                files.append(File(file.path, len(data), sha256(data).hexdigest(), "git"))
                yield inline(file.path, data, EXECUTABLE if file.is_executable else FILE)
        files += (kept for file in draft.kept if (kept := self._keep(draft, file, directory)))
        yield inline(record_files.RESULT, encode.encode_result(replace(outcome, files=tuple(files))))
        yield inline(record_files.OUTPUT, self._output(draft, directory))
        if outcome.metrics:
            yield inline(record_files.METRICS, "".join(f"{line}\n" for line in collected.lines()).encode())
        yield from self._annotation(draft, mark, ended)

    def _outcome(self, draft: Draft, metrics: Metrics) -> Outcome:
        """Returns what came of a run, without its files."""
        run = draft.run
        started = run.started or run.created
        stopped = max(run.stopped or started, started)
        outcome = Outcome(
            run.status, run.exit_status, started, stopped, (stopped - started).total_seconds(), run.reason, metrics,
            steps=tuple(
                StepRun(step.plan.operation, step.run_id, step.run.status)
                for key in run.steps
                if (step := self._drafts.get(key))
            ),
        )  # fmt: skip
        return outcome if run.batch_definition is None else self._outcome_of_batch(draft, outcome)

    def _outcome_of_batch(self, draft: Draft, outcome: Outcome) -> Outcome:
        """Returns the outcome of a batch with its trials and their counts."""
        definition = draft.run.batch_definition
        objectives = definition.objectives if definition else ()
        trials = tuple(
            Trial(
                number, dict(trial.plan.flags), trial.run.status, trial.run_id,
                values_of(objectives, self._metrics.get(trial.run.key), trial.run.status),
                tip=self.tips.get(trial.run.key, ""),
            )
            for number, trial in sorted((trial.run.trial or 0, trial) for trial in self._trials.get(draft.run.key, ()))
            if number > 0
        )  # fmt: skip
        return replace(outcome, trials=trials, counts=count_trials(trials, len(trials), objectives))

    def _read(self, draft: Draft, file: ImportedFile) -> bytes | None:
        """Returns the content of a produced file; None if it cannot be read any more."""
        try:
            return b"".join(open_content(file.content))
        except OSError:
            self.left_out.append(LeftOut(draft.run.key, "a file that cannot be read"))
            return None

    def _keep(self, draft: Draft, file: ImportedFile, directory: Path) -> File | None:
        """Copies a file to the place beside git. Returns its record; None if it cannot be read."""
        target = directory / kept_name(file.path)
        make_private_directory(directory.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        # renamed when it is complete: a kill leaves no half copy that a later import would take for the whole
        fresh = target.with_name(f".{os.urandom(8).hex()}.gitrun")
        size, digest = 0, sha256()
        try:
            with fresh.open("wb") as copy:
                for piece in open_content(file.content):
                    size += len(piece)
                    digest.update(piece)
                    copy.write(piece)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            # a full disk must not pass for a file that cannot be read
            if error.errno in {ENOSPC, EDQUOT}:
                raise
            self.left_out.append(LeftOut(draft.run.key, "a file that cannot be read"))
            return None
        fresh.chmod(0o755 if file.is_executable else 0o644)
        if self._git.durable:
            fsync(fresh)
        fresh.replace(target)
        return File(file.path, size, digest.hexdigest(), "local")

    def _output(self, draft: Draft, directory: Path) -> bytes:
        """Returns the output for git. Above 10 MiB that is its first and last 5 MiB, and the whole is kept beside git."""
        content = draft.run.output
        if file_size(content) <= LARGEST_OUTPUT:
            return self._read(draft, ImportedFile("output", content)) or b""
        whole = ImportedFile(record_files.OUTPUT, content)
        kept = self._keep(draft, whole, directory)
        first, last = bytearray(), b""
        for piece in open_content(directory / record_files.OUTPUT) if kept else ():
            first += piece[: max(HALF - len(first), 0)]
            last = (last + piece)[-HALF:]
        size = kept.size if kept else 0
        gap = f"\n[gitrun: {size - 2 * HALF} bytes left out; the whole is in output under gitrun/files]\n"
        return bytes(first) + gap.encode() + last

    def _annotation(self, draft: Draft, mark: int, ended: datetime) -> Iterator[bytes]:
        """Yields a commit with label, tags, comments and mark, if there are any."""
        run = draft.run
        comments = tuple(
            replace(one, text=clean_text(one.text, LONGEST), author=clean_text(one.author, 200)) for one in run.comments
        )
        tags = tuple(dict.fromkeys(tag for one in run.tags if (tag := clean_text(one, 200))))
        notes = Notes(clean_text(run.label, LONGEST) or None, tags, comments[:MOST_COMMENTS], run.marked)
        if notes == Notes():
            return
        data = encode.encode_notes(notes)
        if len(data) > MAX_TOML:
            self.left_out.append(LeftOut(run.key, "its annotations are larger than 1 MiB"))
            return
        last = max([ended, *(one.time for one in notes.comments if one.time)])
        message = encode.commit_message("annotate", "annotation")
        # without `from`, the commit goes on from the result
        yield commit_head(mark, draft.author, seconds(last), message, None).removeprefix(RESET)
        yield inline(record_files.NOTES, data)


def collect_points(run: ImportedRun) -> CollectedMetrics:
    """Returns the metrics of a run, within the limits of an attempt."""
    collector = MetricCollector()
    for point in islice(run.points(), MOST_POINTS):
        if collector.admit(point.name):
            collector.add(point.name, point.value, point.step)
    return CollectedMetrics((collector,))


def inline(path: str, data: bytes, mode: str = FILE) -> bytes:
    """Returns a file of a commit with its content."""
    return f"M {mode} inline ".encode() + quote_path(os.fsencode(path)) + b"\n" + data_command(data)


def values_of(objectives: Sequence[Objective], metrics: Metrics | None, status: str) -> tuple[float, ...]:
    """Returns the values of the objectives; none unless the trial completed with all of them."""
    values = [metrics.ask(one.metric) for one in objectives] if metrics and status == COMPLETED else []
    return tuple(value for value in values if value is not None) if None not in values else ()
