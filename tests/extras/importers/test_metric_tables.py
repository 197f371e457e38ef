"""Metrics in files of other tools."""

from __future__ import annotations

from gitrun.extras.importers.imported import MetricPoint
from gitrun.extras.importers.metric_tables import read_metric_tables, read_printed_metrics


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


def test_printed_lines_add_what_no_file_has_and_no_flag_says() -> None:
    output = b"lr: 0.5\nloss: 9\nacc: 0.5\nacc: 0.75\n"
    known = [MetricPoint("loss", 0, 0.5)]
    points = list(read_printed_metrics(output, {"lr": 0.5, "name": "x"}, known))
    assert points == [MetricPoint("loss", 0, 0.5), MetricPoint("acc", 0, 0.5), MetricPoint("acc", 1, 0.75)]
