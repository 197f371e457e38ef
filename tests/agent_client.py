"""An agent for tests: the official client of the Model Context Protocol, which calls tools one after the other."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from repository import Repo

# its import takes half a second, in each process that collects tests
if find_spec("mcp") is None:
    pytest.skip("mcp is not installed", allow_module_level=True)


@dataclass(frozen=True)
class Answer:
    """What a tool answered, and whether it is an error."""

    text: str
    is_error: bool

    @property
    def data(self) -> str:
        """What the answer calls data."""
        _, mark, rest = self.text.partition("<data ")
        assert mark, self.text
        name, _, body = rest.partition(">\n")
        return body[: body.index(f"\n</data {name}>")]

    @property
    def words(self) -> str:
        """What the answer says outside of its data."""
        return self.text.replace(self.data, "")


class Agent:
    """A client that is connected to a server."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def tools(self) -> dict[str, Any]:
        """The tools by name."""
        return {tool.name: tool for tool in (await self._client.list_tools()).tools}

    async def __call__(self, name: str, **arguments: object) -> Answer:
        """The answer of a tool."""
        result = await self._client.call_tool(name, arguments)
        return Answer("\n".join(part.text for part in result.content), bool(result.is_error))


def over_stdio(repo: Repo, *options: str) -> Any:
    """What to connect to for `git run mcp OPTIONS` in the repository."""
    import mcp

    started = mcp.StdioServerParameters(command="git", args=["run", "mcp", *options], cwd=repo.path, env=dict(os.environ))
    return mcp.stdio_client(started)


def in_process(repo: Repo) -> Any:
    """What to connect to for the same server, without permission to run, in this process."""
    from gitrun import Project
    from gitrun.extras.mcp.server import build_server

    return build_server(Project(repo.path), None, "1")


def work(server: Any, task: Callable[[Agent], Any]) -> Any:
    """What the task of an agent returns that is connected to the server."""
    import mcp

    async def connected() -> Any:
        async with mcp.Client(server) as client:
            return await task(Agent(client))

    return asyncio.run(connected())


TRAIN = 'lr = 0.1\nprint("loss:", abs(lr - 0.05))\n'
ENTRIES = '[operations.train]\nscript = "train.py"\n[operations.wait]\ncommand = ["sh", "-c", "echo begun; sleep 100"]\n'


def offer(repo: Repo) -> Repo:
    """The repository with a project file that offers a script and a command, beside a script that it does not offer."""
    repo.write("train.py", TRAIN)
    repo.write("secret.py", "print('never')\n")
    repo.write("gitrun.toml", ENTRIES)
    repo.commit()
    return repo
