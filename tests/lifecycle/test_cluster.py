"""The addresses of clusters, and what is read from the end of a task."""

from __future__ import annotations

import json

import pytest

from gitrun.errors import BadValue, MissingPackage
from gitrun.lifecycle import cluster
from gitrun.lifecycle.cluster import TaskEnd, is_cluster, open_cluster, open_local

RUN = "3fa2c1d8" * 5


@pytest.mark.parametrize(
    ("address", "is_one"),
    [("tcp://box:8786", True), ("tls://box:8786", True), ("ws://box", True), ("local:4", True), ("origin", False),
     ("https://host/a.git", False), ("ssh://host/a.git", False), ("../shared.git", False)],
)  # fmt: skip
def test_an_address_is_of_a_cluster_or_a_remote(address, is_one) -> None:
    assert is_cluster(address) is is_one


@pytest.mark.parametrize("count", ["", "0", "x", "-1", "1.5", "99999", "²"])
def test_a_local_cluster_needs_a_number(count) -> None:
    with pytest.raises(BadValue):
        open_local(f"local:{count}")


def test_a_missing_dask_is_named_with_its_installation(monkeypatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(MissingPackage) as caught:
        open_cluster("tcp://box:8786")
    assert "git-run-tracker[dask]" in caught.value.hint


def test_the_answer_is_the_last_object_about_a_run() -> None:
    lines = ["noise", json.dumps({"run": RUN, "status": "completed"}), json.dumps({"run": "no id"}), "[1]"]
    assert TaskEnd("a", 0, "\n".join(lines).encode()).answer == {"run": RUN, "status": "completed"}
    assert TaskEnd("a", 0, b"{\n").answer == {}


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (TaskEnd("a", 75, stderr=b'gitrun: x\n{"kind": "not-here", "message": "no data"}\n'), "no data"),
        (TaskEnd("a", 128, stderr=b"gitrun: no repository\n"), "no repository"),
        (TaskEnd("a", None, problem="a worker died"), "a worker died"),
        (TaskEnd("a", 3), "exit status 3"),
        (TaskEnd("a", 3, stderr=b"17\n"), "17"),
    ],
)  # fmt: skip
def test_the_reason_of_a_failure_is_its_last_line(end, words) -> None:
    assert end.words == words
