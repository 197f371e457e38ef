"""The launcher: runs a script as `python script.py` would, but with other values in its constants."""

# `python launcher.py SPEC SCRIPT ARG...` or `python launcher.py SPEC -m MODULE ARG...`. SPEC is a file that holds
# {"script": path, "flags": {name: value}} in marshal format: the absolute path of the script's or module's file.
# Python compiles a script at each start, so this one is short: the rest is in a file whose bytecode python keeps.

import os
import sys

if __name__ == "__main__":
    here = globals()
    __file__ = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launched_script.py")
    exec(type(here["__loader__"])("launched_script", __file__).get_code("launched_script"), here)  # noqa: S102 - functions
    try:
        exec(here["load_script"](*sys.argv[1:]), vars(sys.modules["__main__"]))  # noqa: S102 - what this file is for
    except BaseException as error:
        here["hide_launcher"](error)
        if sys.version_info < (3, 11):  # `raise` adds the frames again here, so the hook removes them last
            hook = sys.excepthook
            sys.excepthook = lambda kind, error, _: hook(kind, error, here["hide_launcher"](error))
        raise  # a bare raise adds no frame, and python itself ends the program as it ends any other
