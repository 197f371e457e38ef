"""Plots as PNG and PDF, by the matplotlib of the extra `plot`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
from evil_texts import EVIL
from plots_made_up import SERIES, curves_plot, points_plot
from sampled import sampled_values

from gitrun.views.plot_subjects import HISTORY

# its import takes a third of a second, in each process that collects tests
if find_spec("matplotlib") is None:
    pytest.skip("matplotlib is not installed", allow_module_level=True)

MAGIC = {".png": b"\x89PNG\r\n", ".pdf": b"%PDF-"}


@pytest.mark.parametrize("ending", MAGIC)
@pytest.mark.parametrize(
    "plot",
    sampled_values(
        2,
        [
            curves_plot(*SERIES.values(), log_y=True),
            curves_plot([1, 2], text=f"$\\frac{{{EVIL}$", metric=f"$x_{{{EVIL}"),
            points_plot(["$a^$", "_b", EVIL], [1.0, 2.0, 3.0], "$$_"),
            points_plot([1, 2, 3], [3.0, 1.0, 2.0], form=HISTORY),
        ],
    ),
    ids=["curves", "hostile curves", "hostile scatter", "history"],
)
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_file_is_the_same_each_time(tmp_path, plot, ending) -> None:
    from gitrun.extras.figure import write_figure

    files = [tmp_path / f"{name}{ending}" for name in ("one", "two")]
    for path in files:
        write_figure(plot, path)
    one, two = (path.read_bytes() for path in files)
    assert one.startswith(MAGIC[ending])
    assert one == two


def test_no_display_is_asked_for() -> None:
    assert "matplotlib.pyplot" not in sys.modules
