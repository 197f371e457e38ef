"""Runs that an agent starts."""

from __future__ import annotations

from agent_client import in_process, offer, over_stdio, work
from supervised import runs, until


def test_run_goes_on_when_the_agent_leaves_and_another_stops_it(empty_repo) -> None:
    offered = offer(empty_repo)

    async def begin(agent):
        return await agent("start_run", operation="wait", wait=0)

    begun = work(over_stdio(offered, "--allow-run"), begin)
    assert "It still runs" in begun.data
    assert runs(offered)[0]["status"] == "running"

    async def end(agent):
        output = await agent("read_output", run="1")
        restarted = await agent("restart_run", run="1")
        return output, restarted, await agent("stop_run", run="1")

    until(lambda: "begun" in work(in_process(offered), lambda agent: agent("read_output", run="1")).text)
    output, restarted, stopped = work(over_stdio(offered, "--allow-run"), end)
    assert output.data == "begun"
    assert restarted.text.startswith("Error executing tool restart_run: run-is-running.")
    assert "terminated (SIGTERM)" in stopped.data
    assert runs(offered)[0]["status"] == "terminated"
