"""Experiments of DVC 2 and 3 in this repository: `refs/exps/<aa>/<base>/<name>`, and what failed in its queue.

An experiment is a commit on its base. The task of a queue is a stash; `.dvc/tmp/repro.dat` in it is a pickle, and never read.
"""

from __future__ import annotations

import os
import posixpath
import re
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import replace
from gitrun.errors import UsageError
from gitrun.extras.importers.drafts import directories_of
from gitrun.extras.importers.dvc_experiments import TEMPORARY, Experiment, list_experiments
from gitrun.extras.importers.dvc_files import DVC, Cache, entries_below, find_cache, find_project, metric_files, named_paths
from gitrun.extras.importers.foreign_files import clean_text, parse_yaml, table_in
from gitrun.extras.importers.imported import ImportedFile, ImportedRun, LeftOut, read_time
from gitrun.extras.importers.metric_tables import read_metric_tables
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.model.encode import dump_toml
from gitrun.model.plan import GITRUN
from gitrun.model.run import COMMAND, COMPLETED, ERROR, SCRIPT, Comment
from gitrun.source.config_files import iterate_leaves, load_tables
from gitrun.source.dvc_stages import draft_repro, load_stages, makers, parameter_files
from gitrun.source.project_file import read_definitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitrun.extras.importers.imported import Context
    from gitrun.source.dvc_stages import Stage

TOOL, REPRO, SAVE = "dvc", "dvc repro", "dvc exp save"
ENDED = re.compile(rb"exited with ([1-9]\d{0,2})\s*$")
LARGEST, MOST_FILES = 10 << 20, 5_000
PIPELINE, LOCK, PARAMS, LIVE, TASKS = "/dvc.yaml", "/dvc.lock", "params.yaml", "dvclive", f"{DVC}/{TEMPORARY}"


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the experiments of this repository. The source is the directory of the project. Raises UsageError."""
    git = context.git
    top = git.require_top()
    base = find_project(context, top)
    directory = top / base / DVC
    cache = Cache(find_cache(directory, context.environ))
    experiments = list(list_experiments(git, directory))
    if not experiments:
        raise UsageError("no experiments of DVC in this repository", "To get those of a remote: dvc exp pull origin")
    with Objects(git) as objects:
        for one in experiments:
            yield one if isinstance(one, LeftOut) else ExperimentReader(context, one, objects, base, cache).read()


class ExperimentReader:
    """Reads one experiment of the project in the directory `base` from its tree and that of its base commit."""

    def __init__(self, context: Context, experiment: Experiment, objects: Objects, base: str, cache: Cache) -> None:
        self.context, self.experiment, self.base, self.cache = context, experiment, base, cache
        self.tree, self.tree_before = GitTree(objects, experiment.commit), GitTree(objects, experiment.base)
        self.left_out: list[str] = []
        names = context.git.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", experiment.commit).split(b"\0")
        self.paths = [path for path in map(os.fsdecode, names) if not base or path.startswith(f"{base}/")]

    def named(self, ending: str) -> list[str]:
        """Returns the paths of the project's files with this ending: `.dvc`, or `/dvc.lock` for files of that name."""
        return [path for path in self.paths if f"/{path}".endswith(ending)][:MOST_FILES]

    def below(self, path: str) -> str:
        """Returns a path of the project below the top."""
        return posixpath.normpath(posixpath.join(self.base, path))

    def read(self) -> ImportedRun | LeftOut:
        """Returns the run, or the reason why there is none."""
        one = self.experiment
        key = f"{one.name}-{one.commit[:12]}"
        created = read_time(one.time)
        if created is None:
            return LeftOut(key, "its time is no time")
        stages, listed = self.stages()
        files = list(dict.fromkeys([*(file for stage in stages for file in parameter_files(stage)), *listed["params"]]))
        files = files or [self.below(PARAMS)]
        flags, before = self.flags(files, self.tree), self.flags(files, self.tree_before)
        outs = {*makers(stages), *listed["metrics"], *listed["plots"], self.below(LIVE)}
        stored = list(self.files_of(outs))
        inputs, cached = self.files_of_cache(stages, {file.path for file in stored})
        produced = [] if one.has_failed else [*stored, *cached]
        ended = ENDED.search(one.output) if one.has_failed else None
        run = ImportedRun(
            key=key, tool=TOOL, operation=SAVE, kind=COMMAND, command=tuple(SAVE.split()), created=created, flags=flags,
            given=tuple(name for name, value in flags.items() if before.get(name, value) != value),
            source=(*inputs, *self.locks_before()), source_tree=one.commit, base=one.base,
            source_without=(self.below(TASKS), *self.named(LOCK), *(file.path for file in stored)),
            status=ERROR if one.has_failed else COMPLETED, exit_status=int(ended[1]) if ended else int(one.has_failed),
            output=one.output, produced=tuple(produced),
            points=partial(read_metric_tables, metric_files(stages, listed["metrics"], produced)),
            label=one.name, comments=(Comment(one.message, "", created),) if one.message else (),
            author=one.author if self.context.with_authors else None,
        )  # fmt: skip
        return replace(self.with_program(run, stages), left_out=tuple(dict.fromkeys(self.left_out)))

    def yaml(self, path: str) -> Any:  # noqa: ANN401 - whatever a file has
        """Returns the value of a YAML file of the experiment; None without a valid one."""
        data = self.tree.read(path, 1 << 20)
        return parse_yaml(data) if data else None

    def stages(self) -> tuple[list[Stage], dict[str, list[str]]]:
        """Returns the stages of all files dvc.yaml, and the paths below their keys params, metrics and plots."""
        stages: list[Stage] = []
        listed: dict[str, list[str]] = {"params": [], "metrics": [], "plots": []}
        for path in (path for path in self.named(PIPELINE) if isinstance(self.yaml(path), dict)):
            with suppress(UsageError):
                document, own = load_stages(self.tree, path)
                # as DVC calls them: sub/dvc.yaml:train
                stages += [replace(one, name=f"{path}:{one.name}") for one in own] if stages else own
                for key, paths in listed.items():
                    names = named_paths(document.get(key))
                    paths += [posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) for name in names]
        return stages, listed

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

    def files_of(self, outs: set[str]) -> Iterator[ImportedFile]:
        """Yields the files of the experiment at or below these paths."""
        paths = (path for path in self.paths if not outs.isdisjoint((path, *directories_of(path))))
        for path in islice(paths, MOST_FILES):
            if (data := self.tree.read(path, LARGEST)) is not None:
                yield ImportedFile(path, data)

    def files_of_cache(self, stages: list[Stage], known: set[str]) -> tuple[list[ImportedFile], list[ImportedFile]]:
        """Returns files in DVC's cache: inputs, which no stage writes or a `.dvc` file names, and what stages write."""
        directories = {(stage.base, stage.name.rpartition(":")[2]): stage.directory for stage in stages}
        outs: dict[str, Mapping[str, Any]] = {}
        deps: dict[str, Mapping[str, Any]] = {}
        for lock in self.named(LOCK):
            for name, stage in table_in(self.yaml(lock), "stages").items():
                above = posixpath.dirname(lock)
                # of a matrix, the lock has train@1
                directory = directories.get((above, str(name).partition("@")[0]), above)
                outs |= entries_below(directory, table_in(stage).get("outs"))
                deps |= entries_below(directory, table_in(stage).get("deps"))
        for pointer in self.named(DVC):
            table = table_in(self.yaml(pointer))
            wdir = clean_text(table.get("wdir"), 1_000)
            deps |= entries_below(posixpath.join(posixpath.dirname(pointer), wdir), table.get("outs"))
        absent = (entry for path, entry in deps.items() if path not in outs and self.tree.mode(path) is None)
        unstored = (entry for path, entry in outs.items() if path not in known and not self.experiment.has_failed)
        return self.cached(absent), self.cached(unstored)

    def cached(self, entries: Iterable[Mapping[str, Any]]) -> list[ImportedFile]:
        """Returns the files of DVC's cache that entries of dvc.lock point to."""
        return [file for entry in entries for file in self.cache.files(entry, self.left_out)]

    def with_program(self, run: ImportedRun, stages: list[Stage]) -> ImportedRun:
        """Returns the run with what ran, and a gitrun.toml that tells a restart what `dvc repro` runs, and where flags go."""
        if not stages:
            self.left_out.append("what ran: dvc exp save and DVCLive record no command")
            return run
        table = draft_repro(self.tree, stages)
        own = (self.tree.read(GITRUN, 1 << 20) or b"").decode(errors="replace")
        text = f"{own}\n" * bool(own) + dump_toml({"operations": {REPRO: table}})
        try:
            definition = read_definitions(text.encode(), GITRUN)[REPRO] if table else None
        except UsageError:
            definition = None
        if definition is None:
            self.left_out.append("what its stages run: a restart starts dvc repro")
            return replace(run, operation=REPRO, command=tuple(REPRO.split()))
        words = ("{python}", *definition.command) if definition.kind == SCRIPT else definition.command
        source = (ImportedFile(GITRUN, text.encode()), *run.source)
        return replace(run, operation=REPRO, kind=definition.kind, command=words, is_entry=True, source=source)

    def locks_before(self) -> list[ImportedFile]:
        """Returns each dvc.lock that the experiment began with: its own tells what came of it."""
        contents = ((path, self.tree_before.read(path, 1 << 20)) for path in self.named(LOCK))
        return [ImportedFile(path, data) for path, data in contents if data]
