"""git run tag: tags on many runs at once."""

from __future__ import annotations

import threading
from dataclasses import replace

from annotated import shown

from gitrun import Project


def test_filter_annotates_all_that_fit(runs) -> None:
    assert "2 runs tagged low" in runs.run("tag", "low", "--where", "x<3", check=True).stderr
    assert [shown(runs, str(n))["tags"] for n in (1, 2, 3)] == [[], ["low"], ["low"]]


def test_annotations_of_the_same_moment_all_arrive(runs) -> None:
    run = Project(runs.path).list_runs()[0]

    def tag(number: int) -> None:
        Project(runs.path).annotate([run], lambda notes: replace(notes, tags=(*notes.tags, f"t{number}")), "tag")

    threads = [threading.Thread(target=tag, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Project(runs.path).find(run.id).notes.tags) == [f"t{number}" for number in range(6)]
