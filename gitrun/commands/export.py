"""`git run export`: runs into a file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, open_project
from gitrun.commands.sharing import FOR, SCAN, require_no_secrets, select_with_dependencies
from gitrun.errors import UsageError
from gitrun.model.run import short_id
from gitrun.model.text import count_text, safe_text

MLFLOW, EXTRA = "mlflow", "gitrun.extras.mlflow_export"


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[RUN]... FILE | mlflow [RUN]...")
@add_filters
@FOR
@declared.option("--without", metavar="REV", help="Leave out what REV has; whoever imports the file must have REV.")
@declared.option("--with-submodules", is_flag=True, help="Also export runs that contain files of submodules.")
@declared.option("--to", "uri", metavar="URI", help="With mlflow: the tracking server, such as http://host:5000.")
@SCAN
def command(words: tuple[str, ...], without: str | None, *, with_submodules: bool, **options: Any) -> None:  # noqa: ANN401 - a filter each
    r"""Writes runs to FILE, a git bundle, with the commits that they are based on; or hands them to MLflow.

    If files may hold secrets and are on no remote yet, gitrun asks first, or refuses without a terminal. It refuses runs
    that contain files of submodules, unless you ask for them.

    \b
      git run export 3fa2c1d8 run.bundle
      git run export --tag paper --without origin/main paper.bundle
      git run export mlflow --op train.py --to http://localhost:5000
    """
    if options["uri"] is not None:
        export_to_mlflow(words, options)
        return
    del options["uri"]
    if not words:
        raise UsageError("no file given", "For example: git run export 3fa2c1d8 run.bundle")
    # the file is the last word, as for cp
    *names, file = words
    project = open_project()
    options["query"] = build_query(options)
    # `git run export FILE` without a run must not export all of them
    if not names and options["query"].is_plain and options["revisions"] is None:
        raise UsageError(
            "no runs given", "To export runs: git run export 3fa2 FILE, or: git run export --status completed FILE"
        )
    runs = select_with_dependencies(project, names, options)
    held_back = {} if with_submodules else project.sharing.held_back(run.id for run in runs)
    if held_back:
        run_id, path = next(iter(held_back.items()))
        raise UsageError(
            f"run {short_id(run_id)} has files of submodule {safe_text(path)}",
            "To export the code of submodules too: --with-submodules",
        )
    # one list for both: what is written is what was searched for secrets
    tips = {run.id: run.tip for run in runs}
    if not options["no_scan"]:
        require_no_secrets(project.sharing.secrets_in_export(tips, without), "export")
    project.sharing.export(tips, Path(file).absolute(), without)
    project.say(f"exported {count_text(len(runs), 'run')} to {file}")
    if not without and project.sharing.is_shallow():
        project.say(
            "note: this clone is shallow: to import the file, a repository needs the older commits. "
            "To fetch them here, and export all: git fetch --unshallow"
        )


def export_to_mlflow(words: tuple[str, ...], options: dict[str, Any]) -> None:
    """Hands ended runs to a tracking server of MLflow. Raises UsageError, MissingPackage, CannotRun."""
    uri = options.pop("uri")
    if words[:1] != (MLFLOW,):
        raise UsageError("--to needs 'mlflow' before the runs", f"For example: git run export mlflow 3fa2c1d8 --to {uri}")
    project = open_project()
    options["query"] = build_query(options)
    if len(words) == 1 and options["query"].is_plain and options["revisions"] is None:
        raise UsageError("no runs given", "To export all completed runs: git run export mlflow --status completed --to URI")
    selected = select_with_dependencies(project, words[1:], options)
    runs = [run for run in selected if run.attempt.stopped]
    if not options["no_scan"]:
        require_no_secrets(project.sharing.secrets_in_export({run.id: run.tip for run in runs}), "export")
    new, there = import_module(EXTRA).export_runs(project, runs, uri)
    project.say(f"exported {count_text(new, 'run')} to MLflow ({there:,} already there)")
