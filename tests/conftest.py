"""The world in which every test lives: a home, a configuration, an identity and a clock zone of its own."""

from __future__ import annotations

import gc
import os
import subprocess
from collections import Counter
from signal import SIG_IGN, SIGHUP, SIGINT, SIGQUIT, default_int_handler, getsignal, signal
from typing import TYPE_CHECKING

import calling
import pytest
from forms import use_asked_git
from homes import move_in
from hypothesis import settings
from repository import ANSWERS, Repo
from sampled import one_of_each
from templates import ask_machine, echo

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

pytest_plugins = (
    "annotated",
    "archived_runs",
    "browser",
    "built_projects",
    "byte_runs",
    "chances",
    "clones",
    "coloured",
    "dask_cluster",
    "dvc_project",
    "evil_runs",
    "forgeries",
    "four_runs",
    "guild_home",
    "guild_project",
    "handed_out",
    "hooked_repos",
    "ignored_files",
    "leaks",
    "litter",
    "lived_runs",
    "measured_output",
    "needing_runs",
    "noted_runs",
    "offers",
    "pipelines",
    "remote_servers",
    "shown_runs",
    "slurm",
    "submodule_runs",
    "three_made",
    "topics",
)
"""Modules with fixtures that several files share."""
HAS_PASSED = pytest.StashKey[bool]()
LEFT: list[Path] = []
"""Directories of tests that have passed."""
DELETED_AT_ONCE = 20
LONG = frozenset({
    "extras/mcp/test_server.py", "extras/mcp/test_starting.py", "extras/view/test_live.py", "faults/test_batch_points.py",
    "faults/test_crash.py", "hostile/test_bombs.py", "hostile/test_corpus.py", "lifecycle/test_cluster_batch.py",
    "share/ci/test_ci.py", "stateful/test_archived_runs.py", "stateful/test_two_clones.py", "stories/test_project.py",
    "stories/test_stories.py", "test_forms.py", "test_launchers.py", "test_training.py",
})  # fmt: skip
"""Files that take long for the number of their tests: several workers begin with them, so that none has one left at the end."""
GARBAGE = 20_000
"""How many new objects Python waits for before it searches for garbage: its 700 take a tenth of the time of many tests."""

settings.register_profile("suite", parent=settings.get_profile("ci"), max_examples=50)
settings.register_profile("long", parent=settings.get_profile("ci"), max_examples=1000, derandomize=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exec", action="store_true", help="start each `git run`, where calls are forked by default")
    parser.addoption("--one-case", action="store_true", help="run one case of each test, and those that are named")


def pytest_configure(config: pytest.Config) -> None:
    use_asked_git()
    config.option.loadscopereorder = False  # of xdist, which would begin with the files that have the most tests
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    calling.FORKING = calling.FORKING and not config.getoption("--exec")
    # under nohup and in the background of a shell signals are ignored, which programs of the tests would inherit:
    # handled signals are back at their defaults in a child
    for number, handler in ((SIGINT, default_int_handler), (SIGQUIT, pass_over), (SIGHUP, pass_over)):
        if getsignal(number) is SIG_IGN:
            signal(number, handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--one-case"):
        chosen = one_of_each(items, config.args)
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen
    if hasattr(config, "workerinput"):  # of xdist
        sizes = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.nodeid.partition("::")[0].removeprefix("tests/") not in LONG, -sizes[item.path]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keeps thousands of tests out of Python's search for garbage, which would pass over them a tenth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pass_over(*_: object) -> None:
    """Does nothing about a signal."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[HAS_PASSED] = item.stash.get(HAS_PASSED, True) and not report.failed
    return report


@pytest.fixture(autouse=True)
def without_leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Deletes the files of a test that has passed, together with those of others."""
    yield
    if not request.node.stash.get(HAS_PASSED, False):
        return
    LEFT.extend(path for name in ("world", "tmp_path") if (path := request.node.funcargs.get(name)))
    if len(LEFT) >= DELETED_AT_ONCE:
        delete_left()


def delete_left() -> None:
    """Deletes what tests have left; `rm` takes a fifth of the time of shutil, and any depth."""
    subprocess.run(["rm", "-rf", "--", *LEFT], check=False, stderr=subprocess.DEVNULL)
    LEFT.clear()


def pytest_sessionfinish() -> None:
    if LEFT:
        delete_left()


@pytest.fixture(autouse=True)
def world(without_leftovers: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this test; `git`, `git run` and `python` are those of the tests, whoever started them."""
    home = move_in(tmp_path_factory.mktemp("home"), monkeypatch)
    if not ANSWERS:
        ask_machine(tmp_path_factory.mktemp("asked") / "repo")
    return home


@pytest.fixture
def empty_repo(tmp_path: Path) -> Repo:
    """A repository with nothing in it: HEAD is unborn."""
    return Repo.create(tmp_path / "repo")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with one commit of one file: `echo.py` of the restart story."""
    return echo(tmp_path / "repo")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `git run` of the test is started and is a child of ours, so that what it uses is counted as ours."""
    monkeypatch.setattr(calling, "FORKING", False)


@pytest.fixture
def forked(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `git run` that another program starts is forked too, unless what it is given is unusual."""
    monkeypatch.setenv("PATH", calling.with_client(os.environ)["PATH"])
