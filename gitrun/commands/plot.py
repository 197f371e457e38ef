"""`git run plot`: curves of metrics, and values of runs against each other."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun import render
from gitrun.commands import declared
from gitrun.commands.screen import has_unicode, is_read_by_person, print_json, print_line, read_palette, table
from gitrun.commands.selecting import add_filters, build_query, open_project
from gitrun.errors import BadValue, MissingPackage, UsageError
from gitrun.render import plot_text
from gitrun.views.curves import MOST_POINTS
from gitrun.views.plot_subjects import CURVES, HISTORY, PlotRequest
from gitrun.views.plots import PlotLook

if TYPE_CHECKING:
    from gitrun.project import Project
    from gitrun.views.plot_subjects import PlotSubject
    from gitrun.views.plots import Plot

EXTRA = "figure"
IMAGES = frozenset({".png", ".pdf"})
"""Endings of images that matplotlib draws."""
WIDTH, WIDEST, HEIGHT = 80, 120, 16
"""Columns where no terminal says how many there are, the most that a wide terminal gives, and rows of a drawing."""


@declared.command(add_help_option=False)
@declared.argument("metrics", nargs=-1, required=True, metavar="METRIC... [RUN]...")
@add_filters
@declared.option("--best", is_flag=True, help="Draw the last value of each run, and the best one so far.")
@declared.option("--maximize/--minimize", default=None, help="With --best: the largest value is the best (default: smallest).")
@declared.option("--logy", is_flag=True, help="Make the axis of values logarithmic.")
@declared.option(
    "--smooth",
    type=declared.float_range(0, 1, max_open=True),
    default=0.0,
    metavar="WEIGHT",
    help="Smooth curves; WEIGHT is that of earlier values, from 0 to below 1.",
)
@declared.option("--width", type=declared.int_range(20, 1000), metavar="COLUMNS", help="Draw in so many columns.")
@declared.option("--height", type=declared.int_range(2, 200), default=HEIGHT, metavar="ROWS", help="Draw in so many rows (16).")
@declared.option("--ascii", "is_ascii", is_flag=True, help="Draw with ASCII characters.")
@declared.option(
    "--out",
    type=declared.path(path_type=Path),
    metavar="FILE",
    help="Write an image: .svg; with the extra [plot] .png or .pdf.",
)
@declared.option("--vega", "as_vega", is_flag=True, help="Print a Vega-Lite specification with its data.")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON array with all points.")
@declared.option("--limit", "-n", type=declared.int_range(min=1), metavar="N", help="Draw at most N runs (26 curves).")
def command(metrics: tuple[str, ...], *, best: bool, limit: int | None, **options: Any) -> None:  # noqa: ANN401
    r"""Draws metrics over their steps (default: of the marked and the 5 newest runs of the newest operation with them).

    METRIC x:y draws y of each run by x, where x is a flag, a metric or a property. Without RUN and filters, these and
    --best take all completed runs of the newest operation. Of a batch, draws the trials, the best first.

    \b
      git run plot loss
      git run plot loss acc 3fa2c1d8 6c0e0013 --smooth 0.6
      git run plot lr:loss --where 'opt=adam'
      git run plot --best loss 3fa2c1d8 --out loss.svg
    """
    refuse_contradictions(options, best=best)
    query = build_query(options)
    project = open_project()
    subject = project.runs.find_plotted(PlotRequest(metrics, query, HISTORY if best else CURVES, limit))
    # programs get every point, a drawing as many as it can show
    points = sys.maxsize if options["as_json"] else MOST_POINTS
    look = PlotLook(options["logy"], options["smooth"], options["maximize"], points)
    plot = project.runs.plot(subject, look)
    if options["as_json"]:
        print_json(render.plot_json.plot_rows(plot))
    elif options["as_vega"]:
        print_json(render.plot_json.vega_spec(plot))
    elif options["out"]:
        write_image(plot, options["out"])
    else:
        print_plot(project, plot, options)
    report_rest(project, subject)


def refuse_contradictions(options: dict[str, Any], *, best: bool) -> None:
    """Raises UsageError for options that contradict each other, MissingPackage for an image that needs matplotlib."""
    if options["maximize"] is not None and not best:
        raise UsageError("--maximize and --minimize need --best")
    given = {"--json": options["as_json"], "--vega": options["as_vega"], "--out": options["out"] is not None}
    asked = [name for name, is_given in given.items() if is_given]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} cannot be combined")
    if options["out"] is None or options["out"].suffix.lower() == ".svg":
        return
    if options["out"].suffix.lower() not in IMAGES:
        raise BadValue(f"--out {options['out']} has no ending of an image", "Use .svg, .png or .pdf")
    if find_spec("matplotlib") is None:
        raise MissingPackage(
            f"--out {options['out']} needs matplotlib",
            "To install it: pip install 'git-run-tracker[plot]'. Or use .svg, which needs nothing",
        )


def write_image(plot: Plot, path: Path) -> None:
    """Writes the plot as an image."""
    if path.suffix.lower() == ".svg":
        path.write_bytes(render.plot_svg.draw_svg(plot).encode())
    else:
        import_module(f"gitrun.extras.{EXTRA}").write_figure(plot, path)  # an extra, and nothing of matplotlib before


def print_plot(project: Project, plot: Plot, options: dict[str, Any]) -> None:
    """Prints the plot for the terminal."""
    marks = plot_text.ASCII if options["is_ascii"] or not has_unicode() else plot_text.BRAILLE
    columns = options["width"] or (min(shutil.get_terminal_size().columns, WIDEST) if is_read_by_person() else WIDTH)
    drawn = plot_text.draw_text(plot, columns, options["height"], marks, read_palette(project))
    for line in drawn.lines:
        print_line(line)
    if drawn.legend:
        table(drawn.legend)


def report_rest(project: Project, subject: PlotSubject) -> None:
    """Reports the runs that are not drawn."""
    for note in subject.notes:
        project.say(note)
    if subject.more:
        project.say(f"{subject.more:,} more. To draw them too: -n {subject.more + len(subject.runs)}")
