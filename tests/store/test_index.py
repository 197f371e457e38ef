"""The index tells what the refs say, whoever changed them, and nothing is lost with it."""

from __future__ import annotations

import os
import sqlite3
import time
from datetime import datetime, timezone

import pytest
from forms import with_files
from repository import Repo
from runs_made_up import made_up
from sampled import sampled
from templates import made_once

from gitrun import Project
from gitrun.model.flags import Flags
from gitrun.model.run import BrokenRun
from gitrun.store import index
from gitrun.store.index import Index
from gitrun.store.index_rows import FIELDS, MAY_HAVE_MODULES, decode_row, index_row, words_key
from gitrun.store.refs import SETTLED


@pytest.fixture
@made_once
def project(repo: Repo) -> Project:
    """A project with three runs."""
    project = Project(repo.path)
    for x in (1, 2, 3):
        project.run("echo.py", flags={"x": x})
    return project


def listed(project: Project) -> list[object]:
    return [run.flags["x"] for run in project.list_runs()]


def test_new_runs_are_seen(project) -> None:
    assert listed(project) == [3, 2, 1]
    project.run("echo.py", flags={"x": 4})
    assert listed(project) == [4, 3, 2, 1]


def test_related_runs_are_counted_once_without_sorting_them(project) -> None:
    asked: list[str] = []
    with project.index() as found:
        many = [made_up(f"{number:040x}", source="a" * 40, base="b" * 40) for number in range(50)]
        many += [made_up(f"{number:040x}", source="c" * 40, base="b" * 40) for number in range(50, 60)]
        found._base.executemany(index.PUT, [(*index_row(run), "") for run in many])
        assert found.count_related(["b" * 40], []) == 60
        assert found.count_related([], ["c" * 40]) == 10
        found._base.set_trace_callback(asked.append)
        assert found.count_related(["b" * 40], ["a" * 40]) == 60
        found._base.set_trace_callback(None)
        plan = [row[3] for row in found._base.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    # of a hundred thousand, sorting takes ten times as long as counting
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_newest_of_a_thousand_matches_are_found_and_the_rest_only_counted(project, monkeypatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(index, "decode_row", lambda git, run, *rest: read.append(run) or decode_row(git, run, *rest))
    with project.index() as found:
        many = [made_up(f"{number:040x}", "many.py", flags={"x": 1}) for number in range(1_000)]
        found._base.executemany(index.PUT, [(*index_row(run), "") for run in many])
        other = made_up("f" * 40, "many.py", flags={"x": 1}, command=("{python}", "many.py", "more"))
        found._base.execute(index.PUT, (*index_row(other), ""))
        read.clear()
        asked = ("many.py", Flags({"x": 1}), words_key("script", "many.py", ("{python}", "many.py")))
        assert len(found.ended_with_same_flags(*asked, limit=11)) == len(read) == 11
        assert (found.count_ended_with_same_flags(*asked), len(read)) == (1_000, 11)
        assert found.count_ended_with_same_flags(*asked, "1" * 40) == 0


@pytest.mark.parametrize("pack_first", [True, False])
def test_ref_deleted_by_plain_git_is_gone(repo, project, pack_first) -> None:
    gone = project.list_runs()[1].id
    if pack_first:
        repo.git("pack-refs", "--all")
        assert listed(project) == [3, 2, 1]
    repo.git("update-ref", "-d", f"refs/runs/{gone}")
    assert listed(project) == [3, 1]


def test_gc_changes_nothing(repo, project) -> None:
    before = project.list_runs()
    repo.git("gc", "--quiet", "--prune=now")
    assert project.list_runs() == before


def test_runs_that_plain_git_fetches_are_seen(repo, project, tmp_path) -> None:
    other = Repo.create(tmp_path / "other")
    assert Project(other.path).list_runs() == []
    other.git("fetch", "--quiet", repo.path, "refs/runs/*:refs/runs/*")
    assert listed(Project(other.path)) == [3, 2, 1]


def test_restored_backup_is_seen(repo, project) -> None:
    run = project.list_runs()[0]
    project.run(restart=run.id, flags={"x": 9})
    assert listed(project)[0] == 9
    repo.git("update-ref", f"refs/runs/{run.id}", run.tip)
    assert listed(project) == [3, 2, 1]


@pytest.mark.parametrize("damage", [b"", b"not a database" * 100, None])
def test_index_that_is_broken_or_gone_is_made_anew(repo, project, damage) -> None:
    before = project.list_runs()
    path = repo.path / ".git" / "gitrun" / "index.sqlite"
    path.unlink() if damage is None else path.write_bytes(damage)
    assert project.list_runs() == before


def test_index_with_damaged_pages_is_made_anew(repo, project) -> None:
    before = project.list_runs()
    path = repo.path / ".git" / "gitrun" / "index.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    assert project.list_runs() == before


@pytest.mark.parametrize("record", sampled(3, ["no JSON", "[]", "{}", b"[\xff]", 7]))
def test_index_with_a_damaged_record_is_made_anew(repo, project, record) -> None:
    before = project.list_runs()
    base = sqlite3.connect(repo.path / ".git" / "gitrun" / "index.sqlite", isolation_level=None)
    text = "CAST(? AS TEXT)" if isinstance(record, bytes) else "?"
    base.execute(f"UPDATE runs SET record = {text} WHERE id = ?", (record, before[1].id))
    base.close()
    assert project.find(before[0].id) == before[0]
    assert project.find(before[1].id) == before[1]
    assert project.list_runs() == before


def test_index_of_another_version_is_made_anew(repo, project) -> None:
    before = project.list_runs()
    base = sqlite3.connect(repo.path / ".git" / "gitrun" / "index.sqlite")
    base.executescript("DROP TABLE runs; CREATE TABLE runs (other TEXT); PRAGMA user_version = 99")
    base.close()
    assert project.list_runs() == before


@with_files
def test_what_is_unchanged_is_not_read_again(project, monkeypatch) -> None:
    project.list_runs()
    past = datetime.now(timezone.utc).timestamp() - 100
    for place in ("refs/runs", "packed-refs"):
        path = project.git.common_dir / place
        path.exists() and os.utime(path, (past, past))
    project.list_runs()
    monkeypatch.setattr("gitrun.store.index.run_places", lambda _: pytest.fail("the refs were read"))
    assert listed(project) == [3, 2, 1]


@with_files
def test_two_changes_within_one_tick_of_the_clock_are_both_seen(repo, project) -> None:
    first, second, _ = project.list_runs()
    repo.git("update-ref", "-d", f"refs/runs/{first.id}")
    status = (repo.path / ".git/refs/runs").stat()
    assert len(listed(project)) == 2
    repo.git("update-ref", "-d", f"refs/runs/{second.id}")
    os.utime(repo.path / ".git/refs/runs", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(listed(project)) == 1


def test_run_that_does_not_read_comes_last_with_its_reason(repo, project) -> None:
    blob = repo.git("hash-object", "-w", "echo.py")
    repo.git("update-ref", f"refs/runs/{blob}", blob)
    last = project.list_all()[-1]
    assert isinstance(last, BrokenRun)
    assert last.id == blob


@with_files
def test_broken_run_is_read_again_when_its_objects_come(repo, project, tmp_path) -> None:
    other = Repo.create(tmp_path / "other")
    run = project.list_runs()[0]
    (other.path / ".git/refs/runs").mkdir(parents=True)
    (other.path / f".git/refs/runs/{run.id}").write_text(run.tip + "\n")
    assert Project(other.path).list_runs() == []
    other.git("fetch", "--quiet", repo.path, f"refs/runs/{run.id}:refs/heads/there")
    assert listed(Project(other.path)) == [3]


def test_alike_runs_are_found_by_value(project) -> None:
    with Index(project.git) as index:
        assert len(index.with_same_flags("echo.py", Flags({"x": 2.0, "y": 2, "z": "a"}))) == 1
        assert index.with_same_flags("echo.py", Flags({"x": 2, "y": 2})) == []


def test_running_run_is_running_in_every_answer(project, repo) -> None:
    from gitrun.store.live import hold_live

    run = project.list_runs()[0]
    with hold_live(project.git.state, run.id), Index(project.git) as index:
        assert index.get(run.id).status == "running"
        assert index.place(1).status == "running"
    assert project.list_runs()[0].status == "completed"


def test_base_that_cannot_be_written_is_answered_from_memory(project) -> None:
    before, path = project.list_runs(), project.git.state / "index.sqlite"
    path.unlink()
    path.mkdir()  # nothing can be opened there, whoever asks
    assert project.list_runs() == before


def test_bar_shows_how_the_index_of_very_many_runs_is_built(capsys) -> None:
    from gitrun.commands.selecting import show_progress

    show_progress(1_000, 2_000)
    assert capsys.readouterr().err == ""
    show_progress(5_000, 10_000)
    assert "[###############...............] 5,000 of 10,000" in capsys.readouterr().err
    show_progress(10_000, 10_000)
    assert capsys.readouterr().err.strip() == ""


def test_index_tells_how_many_runs_it_has_read(project) -> None:
    (project.git.state / "index.sqlite").unlink(missing_ok=True)
    heard: list[tuple[int, int]] = []
    Index(project.git, lambda done, total: heard.append((done, total))).__exit__()
    assert heard == [(3, 3)]


def test_build_that_was_killed_goes_on_with_what_finds_rows_quickly(repo, project) -> None:
    before = project.list_runs()
    base = sqlite3.connect(repo.path / ".git" / "gitrun" / "index.sqlite")
    base.executescript("DROP INDEX newest; DELETE FROM state")
    base.close()
    assert project.list_runs() == before
    base = sqlite3.connect(repo.path / ".git" / "gitrun" / "index.sqlite")
    assert base.execute("SELECT count(*) FROM sqlite_master WHERE name = 'newest'").fetchone() == (1,)
    base.close()


@pytest.mark.parametrize("damage", ["DELETE FROM runs WHERE tip > '8'", "UPDATE runs SET tip = id"])
def test_index_written_before_the_machine_went_down_is_held_against_the_refs(repo, project, damage) -> None:
    time.sleep(2 * SETTLED)
    before = project.list_runs()
    base = sqlite3.connect(repo.path / ".git" / "gitrun" / "index.sqlite")
    base.executescript(f"{damage}; UPDATE state SET value = 'another' WHERE name = 'boot'")
    base.close()
    assert project.list_runs() == before


def test_one_that_reads_again_is_enough_to_look_at_all_that_did_not(repo, project, monkeypatch) -> None:
    monkeypatch.setattr(index, "FEW", 1)
    time.sleep(2 * SETTLED)
    objects = repo.path / ".git" / "objects"
    objects.rename(objects.with_name("away"))
    objects.mkdir()
    (project.git.state / "index.sqlite").unlink()
    assert project.list_runs() == []
    objects.rmdir()
    objects.with_name("away").rename(objects)
    assert listed(project) == [3, 2, 1]


@with_files
def test_packed_refs_written_in_place_are_seen(repo, project) -> None:
    run = project.list_runs()[0]
    repo.git("pack-refs", "--all")
    time.sleep(2 * SETTLED)
    assert listed(project) == [3, 2, 1]
    packed = repo.path / ".git" / "packed-refs"
    before = packed.stat()
    packed.write_text(packed.read_text().replace(f"{run.tip} ", f"{run.id} "))
    os.utime(packed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert project.list_runs()[0].status == "pending"


def test_runs_with_files_of_submodules_or_more_attempts_are_selected(repo, project) -> None:
    three, two, one = (run.id for run in project.list_runs())
    broken = repo.head()  # no attempt
    repo.git("update-ref", f"refs/runs/{broken}", broken)
    project.run(restart=two, flags={"x": 4})
    project.list_runs()
    with sqlite3.connect(project.git.state / "index.sqlite") as base:
        content = f"$[{FIELDS.index('content')}]"
        base.execute("UPDATE runs SET record = json_set(record, ?, 'tree') WHERE id = ?", (content, one))
    base.close()
    asked = [three, two, one, broken]
    with project.index() as index:
        assert [run.id for run in index.get_many(asked)] == asked[:3]
        assert [run.id for run in index.get_many(asked, MAY_HAVE_MODULES)] == [two, one]
