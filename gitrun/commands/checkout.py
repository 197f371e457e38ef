"""`git run checkout`: files of a run, back into the working tree or into another directory."""

from __future__ import annotations

from pathlib import Path

from gitrun.commands import declared
from gitrun.commands.selecting import open_project
from gitrun.model.run import PARENT, short_id
from gitrun.model.run_names import LATEST
from gitrun.model.text import count_text
from gitrun.workspace.checkout import CheckoutRequest


@declared.command(add_help_option=False)
@declared.argument("run_name", default=LATEST, metavar="[RUN]")
@declared.argument("paths", nargs=-1)
@declared.option(
    "--to", type=declared.path(path_type=Path, file_okay=False), metavar="DIR", help="Copy into DIR, not into the working tree."
)
@declared.option("--source", is_flag=True, help="Copy the source of the run, not what it produced.")
@declared.option("-f", "--force", is_flag=True, help="Overwrite changed files too.")
def command(run_name: str, paths: tuple[str, ...], to: Path | None, *, source: bool, force: bool) -> int:
    r"""Copies files that a run (default: your newest) produced into the working tree: PATHS, or all.

    Does not overwrite changed files.

    \b
      git run checkout 3fa2c1d8
      git run checkout 3fa2c1d8 model.pt plots
      git run checkout 3fa2c1d8 --source --to /tmp/then
    """
    project = open_project()
    run = project.find(run_name)
    result = project.bring(run.id, CheckoutRequest(paths, to and to.absolute(), source=source, force=force))
    if not (result.done or result.left or result.gone):
        project.say(f"run {short_id(run.id)} {'has no files of its source' if source else 'produced no files'}")
        return 0
    target = "" if to is None else f" to {to}"
    project.say(
        f"copied {count_text(len(result.done), 'file')} of {'the source of ' if source else ''}run {short_id(run.id)}{target}"
    )
    # files above the repository (`../data.csv`) can be recorded, but are never written back
    beside = [path for path in result.left if path.startswith(PARENT)]
    skipped = [path for path in result.left if path not in beside]
    if beside:
        how = f"git run cat {short_id(run.id)} {beside[0]}"
        project.say(f"not copied, outside the repository: {', '.join(beside)}. To read one: {how}")
    if skipped:
        project.say(f"not overwritten: {', '.join(skipped)}. To overwrite: --force")
    if result.gone:
        project.say(f"not on this machine: {', '.join(result.gone)}")
    # a script must notice that it did not get all files
    return 1 if result.left or result.gone else 0
