"""Problems that are found in settings and versions."""

from __future__ import annotations

import pytest

from gitrun.model.diagnostics import check_settings, check_version


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ({"remote.o.fetch": ("+refs/heads/*:refs/remotes/o/*",), "fetch.prune": ("true",)}, []),
        ({"remote.o.fetch": ("+refs/*:refs/*",)}, ["mirror"]),
        ({"remote.o.fetch": ("+refs/*:refs/*",), "fetch.prune": ("true",)}, ["mirror-prune"]),
        ({"remote.o.fetch": ("+refs/*:refs/*",), "remote.o.prune": ("true",)}, ["mirror-prune"]),
        ({"remote.o.fetch": ("refs/runs/*:refs/runs/*",), "fetch.prune": ("true",)}, ["mirror-prune"]),
        ({"remote.o.fetch": ("refs/runs/*:refs/runs/*",)}, []),
        ({"remote.o.fetch": ("+refs/*:refs/*",), "fetch.prune": ("true",), "remote.o.prune": ("false",)}, ["mirror"]),
        ({"remote.o.push": ("refs/runs/*:refs/runs/*",)}, ["push-refspec"]),
        ({"remote.o.push": ("refs/heads/main",)}, []),
        ({"transfer.hiderefs": ("refs/runs",)}, ["hidden-refs"]),
        ({"receive.hiderefs": ("refs",)}, ["hidden-refs"]),
        ({"transfer.hiderefs": ("refs", "!refs/runs")}, []),
        ({"uploadpack.hiderefs": ("refs/runs",)}, []),
        ({"transfer.hiderefs": ("refs/runners",)}, []),
        ({"gitrun.fsync": ("off",)}, ["no-fsync"]),
        ({"core.fsync": ("none",)}, ["no-fsync"]),
        ({"gc.pruneexpire": ("now",)}, ["prune-now"]),
        ({"gc.pruneexpire": ("2.weeks.ago",)}, []),
        ({"core.bare": ("true",), "receive.denydeletes": ("true",)}, ["deny"]),
        ({"receive.denydeletes": ("true",)}, []),
        ({"core.sharedrepository": ("group",)}, ["shared"]),
    ],
    ids=str,
)
def test_settings_that_will_bite_are_named(config, kinds) -> None:
    assert [one.kind for one in check_settings(config)] == kinds


def test_an_old_git_is_named() -> None:
    assert [one.kind for one in check_version("git version 2.30.2")] == ["old-git"]
    assert list(check_version("git version 2.36.0")) == list(check_version("git version 3.0.1 (Apple Git-1)")) == []
