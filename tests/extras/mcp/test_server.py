"""git run mcp, as an agent's client meets it."""

from __future__ import annotations

import json

from agent_client import in_process, offer, over_stdio, work
from clones import run as run_echo
from clones import tip
from repository import Repo
from supervised import runs

from gitrun import Project
from gitrun.extras.mcp.reading import READING


def test_agent_searches_five_trials_and_is_refused_the_rest(empty_repo) -> None:
    offered = offer(empty_repo)
    offered.run("--", "true", check=True)

    async def task(agent):
        searched = await agent(
            "start_run", operation="train", flags={"lr": "loguniform[1e-3:1]"}, max_trials=5, minimize="loss",
            optimizer="random", label="by agent", wait=100,
        )  # fmt: skip
        assert "trials: 5 of 5 completed; best #" in searched.data, searched
        trials = await agent("compare_runs", runs=["train+"], columns="id,lr,loss")
        rows = [line.split(",") for line in trials.data.splitlines()]
        assert rows[0] == ["id", "lr", "loss"]
        assert len(rows) == 6
        assert rows[1:] == sorted(rows[1:], key=lambda row: float(row[2]))
        again = await agent("start_run", operation="train", flags={"lr": rows[1][1]})
        assert again.text.startswith(f"Nothing was run: run {rows[1][0][:8]} has these flags.")

        for tool, arguments, words in (
            ("start_run", {"operation": "secret.py"}, "is not an operation that git run ops lists"),
            ("start_run", {"operation": "--"}, "is not a name"),
            ("start_run", {"operation": "--help"}, "is not a name"),
            ("start_run", {"operation": "train", "flags": {"--help": "1"}}, "is not a name"),
            ("start_run", {"operation": "train", "flags": {"nothing": 1}}, "nothing"),
            ("restart_run", {"run": "true"}, "is not an operation that git run ops lists"),
            ("restart_run", {"run": "--help"}, "is not a name"),
            ("stop_run", {"run": "true"}, "is not an operation that git run ops lists"),
            *((name, {}, "Unknown tool") for name in ("trust", "push", "rm", "run", "purge_run")),
        ):
            refused = await agent(tool, **arguments)
            assert refused.is_error, (tool, arguments)
            assert words in refused.text, (tool, arguments, refused)
        hints = {name: tool.annotations for name, tool in (await agent.tools()).items()}
        assert {name for name, hint in hints.items() if hint.read_only_hint} == set(READING)
        assert {name for name, hint in hints.items() if hint.destructive_hint} == {"stop_run"}
        assert hints.keys() - set(READING) == {"start_run", "restart_run", "stop_run"}

    work(over_stdio(offered, "--allow-run"), task)
    assert sorted(run["operation"] for run in runs(offered)) == ["train+", "true"]
    project = Project(offered.path)
    assert [trial.notes.label for trial in project.trials(project.find("train+"))] == ["by agent"] * 5


def test_without_permission_there_are_only_tools_that_read(empty_repo) -> None:
    offered = offer(empty_repo)
    offered.run("train", check=True)
    # the server is for the whole repository, wherever it starts
    below = Repo(offered.write("below/note.txt", "").parent)
    before = tip(offered, "refs"), offered.git("status", "--porcelain")

    async def task(agent):
        tools = await agent.tools()
        assert tools.keys() == set(READING)
        assert all(tool.annotations.read_only_hint for tool in tools.values())
        # what every session of an agent pays for
        assert len(json.dumps([tool.input_schema for tool in tools.values()])) < 4_000
        for name in ("start_run", "restart_run", "stop_run"):
            assert (await agent(name, operation="train", run="1")).is_error
        for name in READING:
            given = {"run": "1", "old": "1", "metric": "loss", "path": "train.py", "source": True}
            allowed = tools[name].input_schema["properties"]
            answer = await agent(name, **{key: value for key, value in given.items() if key in allowed})
            assert not answer.is_error or name == "plot_metric", answer

    work(in_process(below), task)
    assert (tip(offered, "refs"), offered.git("status", "--porcelain")) == before


def test_foreign_runs_are_flagged_and_not_restarted(team) -> None:
    run_id = run_echo(team.ann, x=2.0)
    team.ann.run("push", "origin", "1", check=True)
    team.bob.run("fetch", "origin", check=True)

    async def task(agent):
        for name, given in (("list_runs", {}), ("show_run", {"run": run_id}), ("read_output", {"run": run_id})):
            answer = await agent(name, **given)
            assert f"Not made here, and not trusted: {run_id[:8]}." in answer.words, answer
            assert "git run trust" not in answer.text
        return await agent("restart_run", run=run_id, flags={"x": 5})

    refused = work(over_stdio(team.bob, "--allow-run"), task)
    assert refused.text.startswith("Error executing tool restart_run: untrusted.")
    assert len(tip(team.bob)) == 1
