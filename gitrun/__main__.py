"""`python -m gitrun`: files in the current directory hide no module from gitrun."""

import sys

if not getattr(sys.flags, "safe_path", False):  # from Python 3.11 on `-P` keeps the directory out
    del sys.path[0]

from gitrun.commands.entry import main

main()
