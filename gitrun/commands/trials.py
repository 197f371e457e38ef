"""`git run --print-trials` and `--save-trials`: shows the trials of a batch, or writes them to a file, and starts none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import source
from gitrun.commands.compare import holds_only_numbers
from gitrun.commands.screen import print_json, read_palette, table
from gitrun.errors import UsageError
from gitrun.model.flags import format_value
from gitrun.model.run import short_id
from gitrun.model.text import count_text, safe_text
from gitrun.render.text import Shape
from gitrun.source.planning import RANGE_EXAMPLE

if TYPE_CHECKING:
    from gitrun.lifecycle.trial_preview import TrialPreview
    from gitrun.model.plan import Request
    from gitrun.project import Project


def show_trials(project: Project, request: Request, *, file: str | None, prints: bool, as_json: bool) -> int:
    """Prints the trials that the request would start, and writes them to a file if one is named. Returns the exit code.

    Raises UsageError.
    """
    if file is not None:
        source.point_files.require_writer(Path(file))
    preview = project.list_trials(request)
    if preview is None:
        raise UsageError(f"--{'print' if prints else 'save'}-trials needs a flag with several values", RANGE_EXAMPLE)
    if file is not None:
        save(preview, Path(file))
    if as_json:
        print_json(
            [
                {"trial": trial.number, "run": trial.run_id or None, "base": trial.commit or None, "flags": dict(trial.flags)}
                for trial in preview.trials
            ]
        )
    elif prints and preview.trials:
        print_table(project, preview)
    count = count_text(len(preview.trials), "trial")
    project.say(f"{count} written to {file}. To run them: @{file}" if file is not None else f"{count}; none was started")
    if not preview.is_exact:
        project.say(f"note: {preview.sampler} proposes these trials before any of them has ended. Later it proposes others")
    return 0


def save(preview: TrialPreview, file: Path) -> None:
    """Writes the trials to a file as `@FILE` reads them. Raises UsageError."""
    if preview.unset:
        name = preview.unset[0]
        raise UsageError(f"{name} has no value in these trials, and a file cannot say so", f"To write them: leave out {name}=")
    if any(trial.commit for trial in preview.trials):
        raise UsageError("these trials have different commits, and a file cannot say so", "To write the points: leave out --at")
    if not preview.trials:
        raise UsageError("no trials to write: each has a run already")
    source.point_files.write_points(file, [trial.flags for trial in preview.trials])


def print_table(project: Project, preview: TrialPreview) -> None:
    """Prints the trials as a table for people."""
    colours = read_palette(project)
    names = preview.names
    has_runs = any(trial.run_id for trial in preview.trials)
    has_commits = any(trial.commit for trial in preview.trials)
    heads = ["trial", *(["run"] if has_runs else []), *(["base"] if has_commits else []), *names]
    right = {0} | {
        len(heads) - len(names) + at
        for at, name in enumerate(names)
        if holds_only_numbers(trial.flags.get(name) for trial in preview.trials)
    }
    rows = [
        [
            f"#{trial.number}",
            *([colours.cell("id", short_id(trial.run_id) if trial.run_id else "-")] if has_runs else []),
            *([short_id(trial.commit)] if has_commits else []),
            *(safe_text(format_value(trial.flags[name])) if name in trial.flags else "-" for name in names),
        ]
        for trial in preview.trials
    ]
    table([[colours.cell("heading", safe_text(head)) for head in heads], *rows], Shape(right=frozenset(right)))
