"""`git run` called in the process of the tests."""

from __future__ import annotations

import contextlib
import io
import sys

import pytest

from gitrun.commands import main


def call(*words) -> tuple[object, str]:
    """Exit code and stderr of `git run WORDS`, in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["git-run", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
        err.flush()
        return ended.value.code, err.buffer.getvalue().decode()
