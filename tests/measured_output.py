"""The metrics that gitrun reads from an output, for tests of rules and lines."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone

import pytest

from gitrun.model.plan import Outcome
from gitrun.store.live import hold_live
from gitrun.workspace.metric_lines import MetricRules, write_rules
from gitrun.workspace.metrics import Meter

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


ENDED = Outcome("completed", 0, NOW, NOW, 0.0)


@pytest.fixture
def read(tmp_path):
    """The points that an output has under rules: name, value and step, in their order."""

    def points(output, rules=MetricRules()):  # noqa: B008 - a value
        points.said = []
        live = measured(tmp_path / os.urandom(4).hex(), output, rules, points.said.append)
        rows = map(json.loads, live.series.splitlines())
        return [(name, value, row["step"]) for row in rows for name, value in row.items() if name != "step"]

    return points


def measured(state, output, rules, say):
    """The live record of a run with that output, whose metrics are put together."""
    live = hold_live(state, "a" * 40)
    live.output.write_bytes(output if isinstance(output, bytes) else output.encode())
    write_rules(live.directory, rules)
    found = json.loads((live.directory / "rules.json").read_text())
    (live.directory / "rules.json").write_text(json.dumps({**found, "seconds": 0.5}))
    live.found = Meter(live, rules).finish(ENDED, None, say)
    live.leave()
    return live
