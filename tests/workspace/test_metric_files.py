"""Metric files that a run produced: JSON, DVCLive's, Lightning's and ultralytics' tables; others are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervised import shown

from gitrun.model.metrics import CollectedMetrics, MetricCollector
from gitrun.workspace.metric_files import gather_files, list_metric_files, read_points

LIGHTNING = "epoch,step,train_loss,val_acc\n0,9,0.9,\n0,9,,0.5\n1,19,0.4,\n1,19,,0.75\n"
RESULTS = "epoch,time,train/box_loss,metrics/mAP50(B),lr/pg0\n1,3.1,1.9,0.41,0.01\n2,6.2,1.4,0.52,0.009\n"
PADDED = "                  epoch,         train/box_loss\n                      0,                 1.9\n"
WRITES = """\
import json, os
def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    open(path, "w").write(text)
write("dvclive/metrics.json", json.dumps({"train": {"loss": 0.3}, "acc": 0.9, "step": 2}))
write("dvclive/plots/metrics/train/loss.tsv", "step\\tloss\\n0\\t0.9\\n1\\t0.5\\n2\\t0.3\\n")
write("lightning_logs/version_0/metrics.csv", "epoch,step,val_loss\\n0,9,7.0\\n")
write("lightning_logs/version_1/metrics.csv", "epoch,step,val_loss\\n0,9,0.7\\n1,19,0.6\\n")
write("runs/detect/train/results.csv", "epoch,metrics/mAP50(B)\\n1,0.4\\n2,0.5\\n")
write("data/results.csv", "id,price\\n1,0.4\\n")
"""


def read(path, text):
    return list(read_points(path, text))


def test_files_of_a_run_are_read_also_if_git_ignores_them(repo) -> None:
    repo.write(".gitignore", "dvclive/\nlightning_logs/\n")
    repo.write("p.py", WRITES)
    repo.write("metrics.json", '{"old": 1}')
    repo.run("p.py", check=True)
    found = shown(repo)
    assert found["metrics"] == {"train/loss": 0.3, "val_loss": 0.6, "metrics/mAP50(B)": 0.5, "acc": 0.9}
    assert found["series"]["train/loss"] == {"first": 0.9, "last": 0.3, "min": 0.3, "max": 0.9, "count": 3}
    rows = repo.git("cat-file", "-p", f"runs/{found['id']}:.gitrun/metrics.jsonl").splitlines()
    assert {"step": 19, "val_loss": 0.6} in map(json.loads, rows)


def test_metrics_json_of_the_run_counts_and_one_that_lay_there_does_not(repo) -> None:
    repo.write("metrics.json", '{"old": 1}')
    repo.commit("metrics")
    repo.run("--", "true", check=True)
    assert shown(repo)["metrics"] == {}
    repo.run("--", "sh", "-c", """echo '{"acc": 0.5, "name": "x", "ok": true, "at": [1]}' > metrics.json""", check=True)
    assert shown(repo)["metrics"] == {"acc": 0.5}


def test_array_of_objects_gives_a_series_and_its_last_values(repo) -> None:
    repo.run("--", "sh", "-c", """echo '[{"acc": 0.5, "f1": 3}, {"acc": 0.75}]' > metrics.json""", check=True)
    found = shown(repo)
    assert found["metrics"] == {"acc": 0.75, "f1": 3.0}
    assert found["series"]["acc"] == {"first": 0.5, "last": 0.75, "min": 0.5, "max": 0.75, "count": 2}


def test_what_was_printed_wins_over_a_file(repo) -> None:
    repo.run("--", "sh", "-c", """echo acc: 1; echo '{"acc": 0.5, "f1": 2}' > metrics.json""", check=True)
    assert shown(repo)["metrics"] == {"acc": 1.0, "f1": 2.0}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("metrics.json", '{"a": {"b": {"c": 1}}, "d": 2, "epoch": 4}', [({"a/b/c": 1.0, "d": 2.0}, 4.0)]),
        ("metrics.json", '{"iteration": 19, "loss": 2}\n{"iteration": 39, "loss": 1}\n',
         [({"loss": 2.0}, 19.0), ({"loss": 1.0}, 39.0)]),
        ("lightning_logs/version_0/metrics.csv", LIGHTNING, [
            ({"train_loss": 0.9}, 9.0), ({"val_acc": 0.5}, 9.0), ({"train_loss": 0.4}, 19.0), ({"val_acc": 0.75}, 19.0),
        ]),
        ("results.csv", RESULTS, [
            ({"time": 3.1, "train/box_loss": 1.9, "metrics/mAP50(B)": 0.41, "lr/pg0": 0.01}, 1.0),
            ({"time": 6.2, "train/box_loss": 1.4, "metrics/mAP50(B)": 0.52, "lr/pg0": 0.009}, 2.0),
        ]),
        ("results.csv", PADDED, [({"train/box_loss": 1.9}, 0.0)]),
        ("dvclive/plots/metrics/eval/acc.tsv", "timestamp\tstep\tacc\n1700000000\t0\t0.5\n", [({"eval/acc": 0.5}, 0.0)]),
        ("dvclive/scalars/loss.tsv", "step\tloss\n3\t1\n", [({"loss": 1.0}, 3.0)]),
        ("dvclive/static/loss.tsv", "step\tloss\n3\t1\n", [({"loss": 1.0}, 3.0)]),
        ("results.csv", "id,epoch,price\n1,2,3\n", []),
        ("metrics.csv", "name,value\nloss,3\n", []),
        ("dvclive/plots/other.tsv", "x\ty\n1\t2\n", []),
        ("metrics.json", '[{"loss": 2}, {"loss": 1, "part": {"acc": 3}}]',
         [({"loss": 2.0}, 0.0), ({"loss": 1.0, "part/acc": 3.0}, 1.0)]),
        ("metrics.json", '[{"epoch": 5, "loss": 2}, {"epoch": 6, "loss": 1}]', [({"loss": 2.0}, 5.0), ({"loss": 1.0}, 6.0)]),
        ("metrics.json", '[{"loss": 2}, 3]', []),
        ("metrics.json", "[]", []),
        ("metrics.json", "[1, 2]", []),
        ("metrics.json", "", []),
        ("metrics.csv", "", []),
    ],
)  # fmt: skip
def test_each_kind_of_file_is_read_as_its_writer_means_it(path, text, expected) -> None:
    assert [point for point in read(path, text) if point[0]] == expected


def test_files_are_known_by_their_names_and_of_versions_the_newest_counts() -> None:
    paths = ["metrics.json", "a/lightning_logs/version_9/metrics.csv", "a/lightning_logs/version_10/metrics.csv", "data.csv",
             "dvclive/plots/metrics/x.tsv", "other/x.tsv", "results.csv", "my-metrics.json"]  # fmt: skip
    assert list_metric_files(paths) == [
        "a/lightning_logs/version_10/metrics.csv", "dvclive/plots/metrics/x.tsv", "results.csv", "metrics.json",
    ]  # fmt: skip


def test_table_wins_over_the_last_values_of_the_same_writer(tmp_path) -> None:
    (tmp_path / "dvclive/plots/metrics").mkdir(parents=True)
    (tmp_path / "dvclive/plots/metrics/loss.tsv").write_text("step\tloss\n0\t2\n1\t1\n")
    (tmp_path / "dvclive/metrics.json").write_text('{"loss": 1, "acc": 3}')
    collector = MetricCollector()
    assert gather_files(tmp_path, ["dvclive/metrics.json", "dvclive/plots/metrics/loss.tsv"], collector) == []
    assert {name: series.count for name, series in collector.series.items()} == {"loss": 2, "acc": 1}


def test_link_or_pipe_in_the_place_of_a_file_is_not_read(tmp_path) -> None:
    import os

    os.mkfifo(tmp_path / "metrics.json")
    (tmp_path / "real").write_text("epoch,a\n1,2\n")
    (tmp_path / "results.csv").symlink_to("real")
    collector = MetricCollector()
    assert gather_files(tmp_path, ["metrics.json", "results.csv"], collector) == []
    assert CollectedMetrics((collector,)).metrics() == {}


@pytest.mark.parametrize("path", ["metrics.json", "metrics.csv", "results.csv", "dvclive/x.tsv"])
@given(text=st.text(alphabet='{}[]":,\t\n0123456789.e-stepoch"', max_size=120) | st.text(max_size=60))
def test_no_text_breaks_anything(path, text) -> None:
    for values, step in read_points(path, text):
        assert all(isinstance(value, float) for value in (*values.values(), step))
