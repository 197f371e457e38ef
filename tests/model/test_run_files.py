"""Where list the files of a run are kept, whatever a run from elsewhere calls them."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.model.run import kept_name


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a/x", "a/x"),
        ("../x", ".gitrun/beside/1/x"),
        ("../../x", ".gitrun/beside/2/x"),
        ("../other/.git/config", ".gitrun/beside/1/other/.git/config"),
        ("vendor/.git/config", "vendor/.git/config"),
    ],
)
def test_each_file_has_a_place_of_its_own(path, place):
    assert kept_name(path) == place


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "../../../x", "..", "../", "../..", "a/../../../x", "", "../a/../../x", "a\0b"]
)
def test_paths_that_lead_out_lead_nowhere(path):
    assert kept_name(path) == ".gitrun/nowhere"


@given(st.lists(st.sampled_from(["..", ".", "", "a", ".git", "~", "b\\c"]), max_size=8).map("/".join))
def test_no_path_leads_out_of_what_is_kept(path):
    place = posixpath.normpath(posixpath.join("/kept", kept_name(path)))
    assert place.startswith("/kept/")
