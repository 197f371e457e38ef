"""Metrics in files of other tools."""

from __future__ import annotations

from gitrun.extras.importers.imported import MetricPoint
from gitrun.extras.importers.metric_tables import read_metric_tables


def test_points_of_a_table_win_over_the_last_value(tmp_path) -> None:
    (tmp_path / "metrics.json").write_text('{"loss": 0.1, "acc": {"test": 0.9}}')
    files = {
        "metrics.json": tmp_path / "metrics.json",
        "a/metrics.csv": b"step,loss\n0,0.5\n1,0.1\n",
        "other.csv": b"step,loss\n0,9\n",
    }
    assert list(read_metric_tables(files)) == [
        MetricPoint("loss", 0, 0.5),
        MetricPoint("loss", 1, 0.1),
        MetricPoint("acc/test", 0, 0.9),
    ]


def test_tables_of_dvclive_are_read_and_links_are_not(tmp_path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    files = {"dvclive/plots/metrics/train/loss.tsv": b"step\ttrain/loss\n0\t0.5\n", "metrics.json": tmp_path / "link"}
    assert list(read_metric_tables(files)) == [MetricPoint("train/loss", 0, 0.5)]
