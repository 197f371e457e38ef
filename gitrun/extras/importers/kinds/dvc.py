"""Experiments of DVC 2 and 3 in this repository: `refs/exps/<aa>/<base>/<name>`, and what failed in its queue.

An experiment is a commit on its base. The task of a queue is a stash; `.dvc/tmp/repro.dat` in it is a pickle, and never read.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.errors import NoWorktree, UsageError
from gitrun.extras.importers.dvc_experiments import Experiment, list_experiments
from gitrun.extras.importers.dvc_files import Cache, metric_files, named_paths
from gitrun.extras.importers.foreign_files import parse_yaml
from gitrun.extras.importers.imported import ImportedFile, ImportedRun, LeftOut, read_time
from gitrun.extras.importers.metric_tables import read_metric_tables
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.model.encode import dump_toml
from gitrun.model.plan import GITRUN
from gitrun.model.run import COMMAND, COMPLETED, ERROR, SCRIPT, Comment
from gitrun.model.tree import REGULAR, TREE
from gitrun.source.config_files import iterate_leaves, load_tables
from gitrun.source.dvc_stages import draft_repro, list_of, load_stages, makers, parameter_files
from gitrun.source.project_file import read_definitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.extras.importers.imported import Context
    from gitrun.source.dvc_stages import Stage

TOOL, REPRO, SAVE = "dvc", "dvc repro", "dvc exp save"
ENDED = re.compile(rb"exited with ([1-9]\d{0,2})\s*$")
LARGEST, MOST_FILES = 10 << 20, 5_000
PIPELINE, LOCK, PARAMS, LIVE = "dvc.yaml", "dvc.lock", "params.yaml", "dvclive"


@dataclass(frozen=True, slots=True)
class Program:
    """The program of an experiment: operation, kind and command, and the project file that defines it if there is one."""

    operation: str
    kind: str
    command: tuple[str, ...]
    project_file: tuple[ImportedFile, ...]


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the experiments of this repository. Raises UsageError if a source is given: DVC keeps them in the repository."""
    if context.source not in {"", "."}:
        raise UsageError(
            "experiments of DVC are read from this repository", "To get them here: dvc exp pull, then git run import dvc"
        )
    if context.git.worktree is None:
        raise NoWorktree("this repository has no working tree", "To add one: git worktree add PATH")
    cache = Cache(context.git.worktree / ".dvc" / "cache")
    experiments = list(list_experiments(context))
    if not experiments:
        raise UsageError("no experiments of DVC in this repository", "To get those of a remote: dvc exp pull origin")
    with Objects(context.git) as objects:
        for experiment in experiments:
            if isinstance(experiment, LeftOut):
                yield experiment
                continue
            trees = GitTree(objects, experiment.commit), GitTree(objects, experiment.base)
            yield ExperimentReader(context, experiment, *trees, cache).read()


class ExperimentReader:
    """Reads one experiment from its tree and that of its base."""

    def __init__(self, context: Context, experiment: Experiment, tree: GitTree, base: GitTree, cache: Cache) -> None:
        self.context, self.experiment, self.tree, self.base, self.cache = context, experiment, tree, base, cache
        self.left_out: list[str] = []

    def read(self) -> ImportedRun | LeftOut:
        """Returns the run, or the reason why there is none."""
        one = self.experiment
        key = f"{one.name}-{one.commit[:12]}"
        created = read_time(one.time)
        if created is None:
            return LeftOut(key, "its time is no time")
        stages, document = self.stages()
        listed = {key: named_paths(document.get(key)) for key in ("params", "metrics", "plots")}
        files = list(dict.fromkeys([*(file for stage in stages for file in parameter_files(stage)), *listed["params"]]))
        flags, before = self.flags(files or [PARAMS], self.tree), self.flags(files or [PARAMS], self.base)
        outs = {*makers(stages), *listed["metrics"], *listed["plots"], LIVE}
        stored = [file for out in sorted(outs) for file in self.files_below(out)]
        inputs, cached = self.files_of_lock({file.path for file in stored})
        produced = [] if one.has_failed else [*stored, *cached]
        program = self.program(stages)
        ended = ENDED.search(one.output) if one.has_failed else None
        return ImportedRun(
            key=key, tool=TOOL, operation=program.operation, kind=program.kind, command=program.command,
            is_entry=bool(program.project_file), created=created, flags=flags,
            given=tuple(name for name, value in flags.items() if before.get(name, value) != value),
            source=(*program.project_file, *inputs, *self.lock_before()), source_tree=self.tree_id(),
            source_without=(".dvc/tmp", LOCK, *(file.path for file in stored)), base=one.base,
            status=ERROR if one.has_failed else COMPLETED, exit_status=int(ended[1]) if ended else int(one.has_failed),
            output=one.output, produced=tuple(produced),
            points=partial(read_metric_tables, metric_files(stages, listed["metrics"], produced)),
            label=one.name, comments=(Comment(one.message, "", created),) if one.message else (),
            author=one.author if self.context.with_authors else None, left_out=tuple(dict.fromkeys(self.left_out)),
        )  # fmt: skip

    def yaml(self, path: str) -> Any:  # noqa: ANN401 - whatever a file has
        """Returns the value of a YAML file of the experiment; None without a valid one."""
        data = self.tree.read(path, 1 << 20)
        return parse_yaml(data) if data else None

    def stages(self) -> tuple[list[Stage], Mapping[str, Any]]:
        """Returns the stages of dvc.yaml, and its document."""
        if not isinstance(self.yaml(PIPELINE), dict):
            return [], {}
        try:
            document, stages = load_stages(self.tree, PIPELINE)
        except UsageError:
            return [], {}
        return stages, document

    def flags(self, files: list[str], tree: GitTree) -> dict[str, Any]:
        """Returns the values of parameter files by their dotted names. The first file with a name counts."""
        flags: dict[str, Any] = {}
        for file in files:
            data = tree.read(file, 1 << 20)
            try:
                # a YAML file is checked by the stricter reader first
                is_sound = data and (not file.endswith((".yaml", ".yml")) or parse_yaml(data) is not None)
                flags = dict(iterate_leaves(load_tables(data, file))) | flags if data and is_sound else flags
            except (UsageError, KeyError):
                self.left_out.append(f"parameters of {file}, which cannot be read")
        return flags

    def files_below(self, path: str) -> Iterator[ImportedFile]:
        """Yields the files of the experiment at or below a path."""
        waiting, count = [path], 0
        while waiting and count < MOST_FILES:
            one, count = waiting.pop(), count + 1
            mode = self.tree.mode(one)
            if mode == TREE:
                waiting += [f"{one}/{name}" for name in self.tree.names(one)]
            elif mode in REGULAR:
                data = self.tree.read(one, LARGEST)
                if data is not None:
                    yield ImportedFile(one, data)

    def files_of_lock(self, known: set[str]) -> tuple[list[ImportedFile], list[ImportedFile]]:
        """Returns files in DVC's cache: those that stages read and none writes, and those that stages write."""
        lock = self.yaml(LOCK)
        stages = lock.get("stages") if isinstance(lock, dict) else None
        tables = [one for one in stages.values() if isinstance(one, dict)] if isinstance(stages, dict) else []
        outs = [out for table in tables for out in list_of(table.get("outs")) if isinstance(out, dict)]
        paths = {out.get("path") for out in outs}
        deps = [
            dep
            for table in tables
            for dep in list_of(table.get("deps"))
            if isinstance(dep, dict) and dep.get("path") not in paths
        ]
        absent = [dep for dep in deps if isinstance(dep.get("path"), str) and self.tree.mode(dep["path"]) is None]
        unstored = [out for out in outs if out.get("path") not in known and not self.experiment.has_failed]
        return self.cached(absent), self.cached(unstored)

    def cached(self, entries: list[dict[str, Any]]) -> list[ImportedFile]:
        """Returns the files of DVC's cache that entries of dvc.lock point to."""
        return [file for entry in entries for file in self.cache.files(entry, self.left_out)]

    def program(self, stages: list[Stage]) -> Program:
        """Returns what ran, with a gitrun.toml that tells a restart what `dvc repro` runs, and where flags go."""
        if not stages:
            self.left_out.append("what ran: dvc exp save and DVCLive record no command")
            return Program(SAVE, COMMAND, tuple(SAVE.split()), ())
        table = draft_repro(self.tree, stages)
        own = (self.tree.read(GITRUN, 1 << 20) or b"").decode(errors="replace")
        text = f"{own}\n" * bool(own) + dump_toml({"operations": {REPRO: table}})
        try:
            definition = read_definitions(text.encode(), GITRUN)[REPRO] if table else None
        except UsageError:
            definition = None
        if definition is None:
            self.left_out.append("what its stages run: a restart starts dvc repro")
            return Program(REPRO, COMMAND, tuple(REPRO.split()), ())
        words = ("{python}", *definition.command) if definition.kind == SCRIPT else definition.command
        return Program(REPRO, definition.kind, words, (ImportedFile(GITRUN, text.encode()),))

    def lock_before(self) -> list[ImportedFile]:
        """Returns the dvc.lock that the experiment began with: its own tells what came of it."""
        data = self.base.read(LOCK, 1 << 20)
        return [ImportedFile(LOCK, data)] if data else []

    def tree_id(self) -> str:
        """Returns the id of the experiment's tree."""
        return self.context.git.run("rev-parse", "--verify", f"{self.experiment.commit}^{{tree}}").decode().strip()
