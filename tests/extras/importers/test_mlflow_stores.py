"""Where MLflow keeps runs."""

from __future__ import annotations

import pytest

from gitrun.extras.importers.mlflow_stores import find_artifacts

RUN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("uri", "is_taken"),
    [
        ("mlruns/1/{run}/artifacts", True), ("{top}/mlruns/1/{run}/artifacts", True),
        ("file://{top}/mlruns/1/{run}/artifacts", True),
        ("{top}/../x/{run}/artifacts", False), ("/etc/{run}/artifacts", False), ("mlruns/1/{run}", False), ("", False),
        ("s3://bucket/{run}/artifacts", False), ("link/{run}/artifacts", False),
    ],
)  # fmt: skip
def test_artifacts_are_taken_from_beside_the_database_alone(tmp_path, uri, is_taken) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    assert (find_artifacts(tmp_path, uri.format(top=tmp_path, run=RUN), RUN) is not None) == is_taken
    assert find_artifacts(tmp_path, uri.format(top=tmp_path, run=RUN), "../x") is None
