"""`git run diff`: how two runs differ."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

from gitrun.commands import declared
from gitrun.commands.screen import is_on, is_read_by_person, print_json, print_line, read_palette, table
from gitrun.commands.selecting import open_project
from gitrun.dataclass import dataclass, replace
from gitrun.errors import UsageError
from gitrun.model.flags import format_value
from gitrun.model.run import short_id
from gitrun.model.run_names import LATEST
from gitrun.model.text import exact_text, safe_text
from gitrun.render.diff_json import compare_environments, differences_json
from gitrun.views.diff import DiffStyle, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gitrun.project import Project
    from gitrun.views.diff import Differences, Differing

FLAGS, NEEDS, SOURCE, METRICS, FILES, OUTPUT, ENV = "flags", "needs", "source", "metrics", "files", "output", "env"
CARRIED = "carried"
ASKED = {FLAGS: [FLAGS], NEEDS: [NEEDS], SOURCE: [SOURCE, CARRIED], OUTPUT: [METRICS, FILES, OUTPUT], ENV: [ENV]}
"""Parts of a diff for each option, in the order in which they are printed."""
PACKAGES = "packages."
# git's colours, such as `ESC[1;31m`, and tabs; because of the group, split() keeps them, at odd positions
AS_IT_IS = re.compile(r"(\x1b\[[0-9;:]*m|\t)")


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1, metavar="[A [B]]")
@declared.option("--working", is_flag=True, help="Compare with the working tree as it is now.")
@declared.option("--flags", is_flag=True, help="Show flags only; can be combined with the other parts.")
@declared.option("--needs", is_flag=True, help="Show needed runs, their files and inputs only.")
@declared.option("--source", is_flag=True, help="Show source only, with files carried over from an earlier attempt.")
@declared.option("--output", is_flag=True, help="Show metrics, produced files and output only.")
@declared.option("--env", is_flag=True, help="Show the environment too.")
@declared.option("--stat", is_flag=True, help="Of source and output, show only how much changed.")
@declared.option("--exit-code", is_flag=True, help="Exit with 1 if they differ.")
@declared.option("--json", "as_json", is_flag=True, help="Print differences as JSON, with both values.")
def command(runs: tuple[str, ...], *, working: bool, stat: bool, exit_code: bool, as_json: bool, **parts: bool) -> int:
    r"""Shows how run A differs from run B: flags, source, output. With A alone, shows its uncommitted changes.

    \b
      git run diff 2 1
      git run diff 3fa2c1d8 --stat
      git run diff 3fa2c1d8 --working
    """
    project = open_project()
    pair = find_pair(project, runs, working=working)
    options = [option for option in ASKED if parts[option]]
    # the other side is a commit or the working tree, which has no flags and no output
    if len(pair.runs) < 2:
        options = require_source_only(options)
    parts_shown = [part for option in options or (FLAGS, NEEDS, SOURCE, OUTPUT) for part in ASKED[option]]
    environment = compare_environments(project, pair.runs) if ENV in parts_shown or as_json else {}
    view = View(project, pair, project.runs.compare(pair), environment)
    if as_json:
        print_json(view.as_json())
    else:
        width = shutil.get_terminal_size().columns if stat else None
        view.show(parts_shown, DiffStyle(width, is_on(project.config)))
    return int(exit_code and any(view.differs(part) for part in parts_shown))


def find_pair(project: Project, names: Sequence[str], *, working: bool) -> Pair:
    """Returns the two sides that the words name. Raises UsageError, UnknownRun."""
    if len(names) > (1 if working else 2):
        raise UsageError(
            "--working compares one run" if working else "too many runs",
            "To compare many: git run compare",
        )
    runs = [project.find(name) for name in names or (LATEST,)]
    if working:
        return project.runs.pair_with_worktree(runs[0], project.working_snapshot())
    return project.runs.pair_runs(*runs) if len(runs) == 2 else project.runs.pair_with_base(runs[0])


def require_source_only(options: Sequence[str]) -> list[str]:
    """Restricts the parts where one side is no run: it has only a source. Raises UsageError if others were requested."""
    for option in options:
        if option != SOURCE:
            raise UsageError(f"--{option} needs two runs", f"For example: git run diff --{option} RUN RUN")
    return [SOURCE]


@dataclass(frozen=True, slots=True)
class View:
    """A pair to show."""

    project: Project
    pair: Pair
    differences: Differences
    environment: Differing

    def differs(self, part: str) -> bool:
        """Returns whether the pair differs in a part."""
        return bool(self.environment if part == ENV else getattr(self.differences, part))

    def as_json(self) -> dict[str, Any]:
        """Returns the differences as a JSON value."""
        return differences_json(self.pair, self.differences, self.environment)

    def show(self, parts: Sequence[str], look: DiffStyle) -> None:
        """Prints the differences in these parts, under headings if there are several."""
        for number, part in enumerate(part for part in parts if self.differs(part)):
            if number:
                print_line("")
            if part in {FLAGS, METRICS}:
                self.show_values(part, getattr(self.differences, part), metric_text if part == METRICS else None)
                continue
            if part == NEEDS:
                self.show_values(part, self.differences.needs, needed_text)
                continue
            if part == ENV:
                self.show_environment()
                continue
            # --source shows CARRIED too: of these two, only the second needs a heading
            if part == CARRIED or len([one for one in parts if one != CARRIED]) > 1:
                print_line(read_palette(self.project).paint("heading", part))
            if part in {FILES, CARRIED}:
                table([[f"  {change.what}", safe_text(change.path)] for change in getattr(self.differences, part)])
            else:
                lines = self.project.runs.diff_source if part == SOURCE else self.project.runs.diff_output
                calm = replace(look, colour=False)
                # if the text has colours of its own, git's could not be distinguished from them
                own = look.colour and is_read_by_person() and any(b"\x1b[" in line for line in lines(self.pair, calm))
                style = calm if own else look
                print_lines(lines(self.pair, style), colour=style.colour)

    def show_environment(self) -> None:
        """Prints the differences in the environment; packages last, changed versions first."""
        packages = {name: both for name, both in self.environment.items() if name.startswith(PACKAGES)}
        rest = {name: both for name, both in self.environment.items() if name not in packages}
        if rest:
            self.show_values("environment", rest, plain_text)
        if rest and packages:
            print_line("")
        if packages:
            # False sorts before True: changed versions come first, then removed packages, then added ones
            changed = sorted(packages.items(), key=lambda item: (None in item[1], item[1][0] is None, item[0]))
            self.show_values("packages", {name.removeprefix(PACKAGES): both for name, both in changed}, plain_text)

    def show_values(self, title: str, values: Differing, describe: Callable[[Any], str] | None = None) -> None:
        """Prints names with both values, under the short ids of the runs."""
        colours = read_palette(self.project)
        head = [colours.cell("heading", title), *(colours.cell("id", short_id(run.id)) for run in self.pair.runs)]
        table([head, *([f"  {safe_text(name)}", *map(describe or value_text, both)] for name, both in values.items())])


def print_lines(lines: Iterable[bytes], *, colour: bool) -> None:
    """Prints git's output: unchanged into a pipe, made safe on a terminal but for git's colours."""
    # the bytes go around the text layer, whose buffer must be empty first
    sys.stdout.flush()
    if not is_read_by_person():
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
        return
    for line in lines:
        # git prints the bytes of files as they are, and they need not be UTF-8
        pieces = AS_IT_IS.split(line.decode(errors="surrogateescape").removesuffix("\n"))
        print_line(
            "".join(piece if at % 2 and (colour or piece == "\t") else safe_text(piece) for at, piece in enumerate(pieces))
        )


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever a run has
    """Formats the value of one side; `-` if it has none."""
    return "-" if value is None else safe_text(format_value(value))


def metric_text(value: Any) -> str:  # noqa: ANN401 - as the others
    """Formats a metric in short form (`18`), or in full if that would round it."""
    return "-" if value is None else exact_text(value)


def plain_text(value: Any) -> str:  # noqa: ANN401 - whatever an environment has
    """Formats as `value_text`, but texts without quotes: nobody types a version."""
    return safe_text(value) if isinstance(value, str) else value_text(value)


def needed_text(value: Any) -> str:  # noqa: ANN401 - as for the others
    """Formats as `value_text`, but shortens ids and hashes."""
    return "-" if value is None else safe_text(short_id(value))
