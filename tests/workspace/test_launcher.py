from __future__ import annotations

import marshal
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sampled import sampled, sampled_values

import gitrun.workspace

LAUNCH = Path(gitrun.workspace.__file__).with_name("launcher.py")
PYTHON = sys.executable
INF = float("inf")
CHILDREN = """\
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
x = 1.0
xs = (1, 2)
def show(depth):
    main = sys.modules["__main__"]
    print(__name__, __file__, main.__name__, x, xs, sys.argv, sys.path[0], sorted(globals()), flush=True)
    if depth:
        child = multiprocessing.Process(target=show, args=(depth - 1,))
        child.start()
        child.join()
    return x
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    os.chdir(sys.argv[2])
    show(2)
    with ProcessPoolExecutor(1) as pool:
        print(list(pool.map(show, [0])))
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Script:
    """A script `name` in the folder `home`, and the two ways to run it."""

    home: Path
    name: str = "train.py"

    def write(self, source: str | bytes) -> None:
        path = self.home / self.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.encode() if isinstance(source, str) else source)

    def plain(self, *args: str, options: tuple[str, ...] = ()) -> Ended:
        command = [PYTHON, *options, self.name, *args]
        ended = subprocess.run(command, cwd=self.home, capture_output=True, timeout=30, check=False)
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def launched(self, flags: dict[str, object], *args: str, options: tuple[str, ...] = ()) -> Ended:
        spec = self.home.parent / "spec"
        spec.write_bytes(marshal.dumps({"script": str(self.home / self.name), "flags": flags}, 2))
        return Script(self.home, str(LAUNCH)).plain(str(spec), self.name, *args, options=options)

    def output(self, source: str | bytes, flags: dict[str, object]) -> str:
        self.write(source)
        ended = self.launched(flags)
        assert (ended.code, ended.err) == (0, "")
        return ended.out.rstrip("\n")

    def assert_same(self, source: str | bytes, *args: str, options: tuple[str, ...] = ()) -> Ended:
        """With x=2.0 for its 1.0, the script behaves as if it were edited; returned is how that is."""
        self.write(source)
        launched = self.launched({"x": 2.0}, *args, options=options)
        before, after = ("x = 1.0", "x = 2.0") if isinstance(source, str) else (b"x = 1.0", b"x = 2.0")
        assert before in source
        self.write(source.replace(before, after))
        plain = self.plain(*args, options=options)
        assert launched == plain
        return plain


@pytest.fixture
def script(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Script(home)


LITERALS = [
    ("1.0", 2.0, "2.0"),
    ("1", -3, "-3"),
    ("-1", 10**30, "1" + "0" * 30),
    ("True", False, "False"),
    ("None", "a'\n\\\u00e4\u20ac\U0001f600\0", ascii("a'\n\\\u00e4\u20ac\U0001f600\0")),
    ("'a' 'b'", None, "None"),
    ("[]", [1, "a", [None]], "[1, 'a', [None]]"),
    ("(1, -2)", [3], "(3,)"),
    ("((1, 2), [3])", [[4, 5], [6], [7]], "((4, 5), [6], [7])"),
    ("1.0", [INF, -INF, float("nan"), -0.0], "[inf, -inf, nan, -0.0]"),
]
"""Literals, values of their flags, and what is printed of these."""


def test_literal_becomes_the_value_of_the_flag(script):
    source = "".join(f"x{n} = {old}\ny{n}: object = {old}\n" for n, (old, _, _) in enumerate(LITERALS))
    shown = "".join(f"print(ascii([x{n}, y{n}]))\n" for n in range(len(LITERALS)))
    flags = {f"{letter}{n}": value for n, (_, value, _) in enumerate(LITERALS) for letter in "xy"}
    assert script.output(source + shown, flags).splitlines() == [f"[{new}, {new}]" for *_, new in LITERALS]


def test_every_top_level_assignment_of_the_constant_is_changed(script):
    source = "x = 1\nprint(x)\nx: int = 2\nprint(x)\nif x:\n    x = 3\nprint(x)\nx = y = 4\nx = len('a')\nprint(x)"
    assert script.output(source, {"x": 9}).split() == ["9", "9", "9", "9"]


SOURCES = [
    "x = 10 * 1000",
    "x = 'a' if len('a') > 5 else 'b'",
    "x = y = 1; assert y == 1",
    "y = x = z = [1]; assert y is z",
    "x, y = 1, 2; assert y == 2",
    "(y, [x, z]) = (1, (2, 3)); assert (y, z) == (1, 3)",
    "if len('a') > 1:\n    x = 1\nelse:\n    x = 2",
    "if True:\n    try:\n        import nosuch\n        x = 1\n    except ImportError:\n        x = 2",
    "try:\n    x = 1\nfinally:\n    y = 2",
    "import io\nwith io.StringIO() as f:\n    x = 1",
    "x: int = 1\nif x:\n    x = 5",
]


def test_a_constant_is_changed_however_the_source_gives_it(script):
    source = "\n".join(re.sub(r"\b([xyz])\b", rf"\g<1>{n}", one) for n, one in enumerate(SOURCES))
    names = [f"x{n}" for n in range(len(SOURCES))]
    assert script.output(f"{source}\nprint({', '.join(names)})", dict.fromkeys(names, 9)).split() == ["9"] * len(SOURCES)


def test_a_list_becomes_a_tuple_where_the_expression_makes_one(script):
    source = "x = (1, 2) * 2\ny = [0.1] * 2\nz = (1,) if len('') else (2,)\nprint(x, y, z)"
    assert script.output(source, {"x": [3], "y": [3], "z": [3]}) == "(3,) [3] (3,)"


EXECUTE = "s.loader.exec_module(t)"
HELPERS = [
    "import train as t",
    "from train import x, A\nclass t: x, A = x, A",
    "import importlib\nt = importlib.import_module('train')",
    "import importlib.util as u\ns = u.spec_from_file_location('o', 'train.py'); t = u.module_from_spec(s); " + EXECUTE,
    "import pickle\nclass t: pass\nt.x = pickle.loads(b'ctrain\\nx\\n.'); t.A = pickle.loads(b'ctrain\\nA\\n.')",
]
IMPORTED = "x = 1.0\nclass A: y = x\n"


@pytest.mark.parametrize("helper", HELPERS)
def test_who_imports_the_script_sees_the_value_of_the_flag(script, helper):
    (script.home / "helper.py").write_text(f"{helper}\ndef shown(): return t.x, t.A.y\n")
    ended = script.assert_same(f"{IMPORTED}if __name__ == '__main__':\n    import helper\n    print(x, *helper.shown())\n")
    assert ended.out == "2.0 2.0 2.0\n"


def test_who_imports_the_script_in_a_circle_sees_the_value_of_the_flag(script):
    (script.home / "helper.py").write_text("import train\ny = train.x\n")
    source = "x = 1.0\nimport helper\nprint(__name__, x, getattr(helper, 'y', None))\n"
    assert script.assert_same(source).out == "train 2.0 None\n__main__ 2.0 2.0\n"


@pytest.mark.parametrize("method", sampled_values(1, ["fork", "spawn", "forkserver"]))
def test_who_imports_the_script_in_a_child_sees_the_value_of_the_flag(script, method):
    (script.home / "helper.py").write_text("def show():\n    from train import x\n    print(x)\n")
    start = "import multiprocessing, helper\nx = 1.0\nif __name__ == '__main__':\n"
    start += f"    p = multiprocessing.get_context('{method}').Process(target=helper.show)\n    p.start()\n    p.join()\n"
    assert script.assert_same(start).out == "2.0\n"


def test_bytecode_of_the_script_is_neither_used_nor_written(script):
    (script.home / "helper.py").write_text("import train\n")
    source = "x = 1.0\nif __name__ == '__main__':\n    import helper, train\nprint(x)\n"
    script.write(source)
    assert script.plain().out.split() == ["1.0", "1.0"]
    assert script.launched({"x": 2.0}).out.split() == ["2.0", "2.0"]
    assert script.plain().out.split() == ["1.0", "1.0"]


@dataclass(frozen=True)
class Package:
    """A package `pkg` with a module in the folder `home`, and the two ways to run it as `python -m` does."""

    home: Path
    module: str = "pkg.train"
    path: str = "pkg/train.py"

    def write(self, source: str) -> None:
        place = self.home / self.path
        place.parent.mkdir(parents=True, exist_ok=True)
        (self.home / "pkg" / "__init__.py").touch()
        place.write_text(source)

    def plain(self, *args: str) -> Ended:
        ended = subprocess.run([PYTHON, "-m", self.module, *args], cwd=self.home, capture_output=True, timeout=30, check=False)
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def launched(self, flags: dict[str, object], *args: str) -> Ended:
        spec = self.home.parent / "spec"
        spec.write_bytes(marshal.dumps({"script": str(self.home / self.path), "flags": flags}, 2))
        return Script(self.home, str(LAUNCH)).plain(str(spec), "-m", self.module, *args)

    def assert_same(self, source: str, *args: str) -> Ended:
        self.write(source)
        launched = self.launched({"x": 2.0}, *args)
        self.write(source.replace("x = 1.0", "x = 2.0"))
        assert launched == self.plain(*args)
        return launched


@pytest.fixture
def package(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Package(home)


def test_a_module_is_run_as_python_runs_it(package):
    package.assert_same(
        "import sys\nx = 1.0\nprint(sys.argv, sys.path, x, dir(), list(globals()))\n"
        "print(__name__, __file__, __spec__.name, __package__, globals().get('__cached__'), type(__loader__), __doc__)\n"
        "from . import train\nprint(sys.modules['__main__'].__dict__ is globals(), train.x)\nsys.exit(3)\n",
        "--a",
        "",
    )


def test_a_package_is_run_by_its_main_module(package):
    ended = Package(package.home, "pkg", "pkg/__main__.py").assert_same("import sys\nx = 1.0\nprint(sys.argv, __name__, x)\n")
    assert ended.out.endswith("__main__ 2.0\n")


@pytest.mark.parametrize("helper", ["from .train import x", "from pkg.train import x", "from . import train\nx = train.x"])
def test_relative_imports_of_a_module_see_the_value_of_the_flag(package, helper):
    (package.home / "pkg").mkdir()
    (package.home / "pkg" / "helper.py").write_text(f"{helper}\n")
    source = "x = 1.0\nif __name__ == '__main__':\n    from . import helper\n    print(x, helper.x)\n"
    assert package.assert_same(source).out == "2.0 2.0\n"


@pytest.mark.parametrize("method", sampled_values(1, ["fork", "spawn", "forkserver"]))
def test_children_of_a_module_have_the_flags(package, method):
    package.write(CHILDREN.replace("os.chdir(sys.argv[2])\n", "\n").replace(", sys.argv, sys.path[0], sorted(globals())", ""))
    ended = package.launched({"x": 2.0, "xs": [3, 4, 5]}, method)
    assert (ended.code, ended.out.count("2.0 (3, 4, 5)")) == (0, 4), ended.err


def test_a_module_that_is_not_there_is_named(package):
    package.write("")
    ended = Package(package.home, "pkg.nosuch", "pkg/nosuch.py").launched({"x": 2.0})
    assert (ended.code, "No module named pkg.nosuch" in ended.err) == (1, True)


def test_unknown_flag_is_set_before_the_first_statement(script):
    source = "'text'\nfrom __future__ import annotations\nprint(new, __doc__)"
    assert script.output(source, {"new": [1]}) == "[1] text"
    assert script.output("print(new)", {"new": 1}) == "1"
    assert script.output("new = len('abc')\nprint(new)", {"new": 1}) == "1"


def test_list_flag_is_a_new_list_of_the_program(script):
    assert script.output("xs = [1]\nys = xs\nxs.append(2)\nprint(xs, ys is xs)", {"xs": [5]}) == "[5, 2] True"


def test_script_without_flags_runs(script):
    script.write("x = 1.0\nprint(x, __name__)\n1 / 0")
    assert script.launched({}, "a") == script.plain("a")


@pytest.mark.parametrize("name", ["train.py", "./train.py", "sub/train.py", "sub/../train.py", "link.py"])
def test_sys_and_main_are_those_of_plain_python(script, name):
    (script.home / "sub").mkdir()
    (script.home / "link.py").symlink_to("sub/real.py")
    script.assert_same("x = 1.0")
    Script(script.home, name).assert_same(
        "import sys\nx = 1.0\n"
        "print(sys.argv, sys.path, sys.flags, x, dir(), list(globals()))\n"
        "names = '__name__', '__file__', '__spec__', '__package__', '__cached__', '__annotations__'\n"
        "print([globals().get(name, 'none') for name in names])\n"
        "print(type(__loader__), vars(__loader__), __builtins__)\n"
        "print(sys.modules['__main__'].__dict__ is globals())\n",
        "--a",
        "b c",
        "",
    )


def test_absolute_script_outside_the_working_directory_runs(script, tmp_path):
    elsewhere = Script(script.home, str(tmp_path / "other" / "train.py"))
    elsewhere.assert_same("import sys\nx = 1.0\nprint(__file__, sys.path[0], sys.argv)\nf()")


def test_nothing_more_is_imported_and_no_variable_is_set_in_the_environment(script):
    source = "import sys, os\nx = 1.0\nprint(sorted(os.environ.items()), sorted({*sys.modules} - {'_ast'}))"
    script.assert_same(source)


def test_module_beside_the_script_hides_one_of_the_standard_library(script):
    (script.home / "json.py").write_text("mine = True")
    assert script.output("import json\nx = 1\nprint(json.mine)", {"x": 2}) == "True"


@pytest.mark.parametrize("option", ["-I", "-P", "-O", "-OO", "-E", "-S", "-Werror", "-Xdev", "-B"])
def test_options_of_python_hold(script, option):
    if option == "-P" and sys.version_info < (3, 11):
        pytest.skip("python has no -P")
    source = "'doc'\nimport sys\nx = 1.0\nprint(sys.path[:1], __debug__, sys.flags, __doc__)\n"
    script.assert_same(source + "assert x == 1.0, x\nprint(x is 5)", options=(option,))


def test_future_imports_are_those_of_the_script(script):
    source = "from __future__ import annotations\nx = 1.0\ndef f(a: Nope): pass\nprint(f.__annotations__)"
    assert "Nope" in script.assert_same(source).out
    assert "NameError" in script.assert_same(source.partition("\n")[2]).err


def test_classes_of_main_are_pickled_and_hints_resolved(script):
    script.assert_same(
        "import pickle, dataclasses, typing, inspect, __main__\nx = 1.0\n"
        "@dataclasses.dataclass\nclass A:\n    a: 'float' = x\n    b: typing.Optional['A'] = None\n"
        "print(pickle.loads(pickle.dumps(A())), pickle.dumps(A), __main__.A is A, typing.get_type_hints(A))\n"
        "def f():\n    return x\nprint(inspect.getsource(f), inspect.getsource(A), inspect.getfile(A))\n"
    )


@pytest.mark.parametrize(
    "end",
    sampled_values(
        8,
        [
            "def f(n):\n    return n and (f(n - 1) +  x)  or [1][x:x + (1 / 0)]\nf(3)",
            "try:\n    {}[x]\nexcept KeyError as e:\n    raise ValueError(x) from e",
            "try:\n    {}[x]\nfinally:\n    raise ValueError(x)",
            "class E(Exception):\n    def __str__(self): return 1 / 0\nraise E",
            "exec('1 +')",
            "compile('a b', 'f', 'exec')",
            "import json; json.loads('{')",
            "import nope",
            "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); 1 / 0",
            "import sys; sys.excepthook = lambda *a: print(a[:2], a[2].tb_lineno, a[2].tb_next); 1 / 0",
            "import sys, traceback; sys.excepthook = lambda *a: traceback.print_exception(*a); 1 / x[0]",
            "import asyncio\nasync def f(): raise OSError(x)\nasyncio.run(f())",
            "import warnings; warnings.warn('w'); warnings.warn('d', DeprecationWarning)",
            "def f():\n    yield x\n    raise StopIteration\nlist(f())",
            "x[0]",
            "y = [\n  x +\n  None,\n]",
        ],
    ),
)
def test_tracebacks_are_those_of_plain_python(script, end):
    assert "launcher.py" not in script.assert_same(f"x = 1.0\n{end}\n").err


@pytest.mark.skipif(sys.version_info < (3, 11), reason="python shows the launcher's hook there")
@pytest.mark.parametrize(
    "hook",
    [
        "def hook(*a): {}[1]\nsys.excepthook = hook",
        "atexit.register(lambda: print(sys.last_traceback.tb_lineno))",
    ],
)
def test_last_traceback_and_that_of_a_failing_hook_are_without_the_launcher(script, hook):
    ended = script.assert_same(f"import atexit, sys\nx = 1.0\n{hook}\n1 / x[0]\n")
    assert "launcher.py" not in ended.err


@pytest.mark.parametrize(
    "error",
    sampled(5, ["print((1,", "if x:\nprint(1)", "y = 3$", "return 5", "f() = 3", "s = 'abc", "s = '''abc", "print x",
     "def f():\n  nonlocal z", "from __future__ import annotations", "print(f'{a b}')", "print('\\N{nope}')",
     "await x", "if x:\n        a=1\n\tb=2", "print('h\u00e4', 5 \u20ac 3)"]),
)  # fmt: skip
def test_syntax_errors_are_those_of_plain_python(script, error):
    if sys.version_info < (3, 10) and ("(1," in error or "'''" in error):
        pytest.skip("python names another line for an end of a file than for an end of a text")
    assert script.assert_same(f"x = 1.0\n{error}\n").code == 1


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfx = 1.0\nprint(x, 1/0)\n",
        b"# coding: latin-1\nx = 1.0\nprint(ascii('\xe4'), x, 1/0)\n",
        b"x = 1.0\r\ns = '''a\r\nb'''\r\nprint(x, ascii(s))\r\n1/0",
        b"x = 1.0\n\x0cprint(x)\n1/0 # end",
        b"x = 1.0\nprint('h\xc3\xa4', 1/0)\n",
    ],
)
def test_encodings_and_line_ends_are_those_of_plain_python(script, source):
    assert "ZeroDivisionError" in script.assert_same(source).err


@pytest.mark.parametrize("value", sampled(4, ["", "0", "3", "-1", "'bye'", "None", "[x]", "300"]))
def test_exit_codes_are_the_programs_own(script, value):
    script.assert_same(f"import sys, atexit\nx = 1.0\natexit.register(print, 'end', x)\nsys.exit({value})")


def test_threads_are_joined_and_exit_functions_called_at_the_end(script):
    source = (
        "import atexit, threading, time\nx = 1.0\natexit.register(print, 'exit', x)\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread', x))).start()\n"
        "class D:\n    def __del__(self): print('del', x)\nd = D()\nprint('main')\n"
    )
    assert script.assert_same(source).out.split() == ["main", "thread", "2.0", "exit", "2.0", "del", "2.0"]


def test_interrupted_program_dies_by_the_signal(script):
    source = "import os, signal\nx = 1.0\ndef f():\n    os.kill(os.getpid(), signal.SIGINT)\nf()\nwhile x: pass"
    ended = script.assert_same(source)
    assert ended.code == -signal.SIGINT
    assert "KeyboardInterrupt" in ended.err


@pytest.mark.parametrize(("method", "cwd"), [("fork", "."), ("spawn", "/"), ("forkserver", "/")])
def test_children_and_grandchildren_have_the_flags(script, method, cwd):
    script.write(CHILDREN)
    ended = script.launched({"x": 2.0, "xs": [3, 4, 5]}, method, cwd)
    script.write(CHILDREN.replace("1.0", "2.0").replace("(1, 2)", "(3, 4, 5)"))
    assert ended == script.plain(method, cwd)
    assert ended.out.count("2.0 (3, 4, 5)") == 4


AGAIN = {
    "exec": "os.execv(sys.executable, [sys.executable, *sys.argv, 'again'])",
    "exec with an environment": "os.execle(sys.executable, 'python3', '-u', *sys.argv, 'again', os.environ)",
    "exec from PATH": "os.execvpe(sys.executable, ('python', '-X', 'dev', __file__, 'again'), os.environ)",
    "spawn": "os.spawnl(os.P_WAIT, sys.executable, sys.executable, *sys.argv, 'again')",
    "posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, *sys.argv, 'again'], os.environ), 0)",
    "subprocess": "subprocess.run([sys.executable, __file__, 'again'], cwd='/')",
    "subprocess in a directory": "subprocess.run([sys.executable, *sys.argv, 'again'], cwd=os.getcwd())",
    "subprocess with bytes": "subprocess.run([os.fsencode(sys.executable), os.fsencode(__file__), b'again'])",
    "asyncio": (
        "import asyncio\n    async def start():\n"
        "        await (await asyncio.create_subprocess_exec(sys.executable, *sys.argv, 'again')).wait()\n"
        "    asyncio.run(start())"
    ),
    "a child of multiprocessing": (
        "import multiprocessing\n    child = multiprocessing.get_context('spawn').Process(target=again)\n"
        "    child.start()\n    child.join()"
    ),
}
STARTS_AGAIN = """\
import os, subprocess, sys
x = 1.0
def again():
    subprocess.run([sys.executable, *sys.argv, 'again'])
if __name__ == '__main__':
    print(sys.argv, __file__, sys.path[0], __spec__ and __spec__.name, x, flush=True)
if __name__ == '__main__' and 'again' not in sys.argv:
    """


@pytest.mark.parametrize("way", AGAIN)
def test_a_program_that_starts_itself_again_has_the_flags(script, way):
    assert script.assert_same(STARTS_AGAIN + AGAIN[way], "a b").out.count(" 2.0\n") == 2


def test_a_module_that_starts_itself_again_has_the_flags(package):
    start = "os.execv(sys.executable, [sys.executable, '-m', __spec__.name, 'again'])"
    assert package.assert_same(STARTS_AGAIN + start).out.count("pkg.train 2.0\n") == 2


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.run([sys.executable, 'other.py'])",
        "subprocess.run([sys.executable, '-m', 'other', *sys.argv])",
        "subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv)', *sys.argv])",
        "subprocess.run(['echo', sys.executable, *sys.argv])",
        "subprocess.run(sys.executable, stdin=subprocess.DEVNULL)",
        "subprocess.run(['nosuch', *sys.argv])",
        "subprocess.run([sys.executable, None])",
        "subprocess.run([])",
        "os.execv('nosuch', sys.argv)",
        "os.execv(sys.executable, ['other name', 'other.py'])",
        "os.execve(path=sys.executable, argv=[sys.executable, 'other.py'], env={})",
    ],
)
def test_other_processes_are_started_as_the_program_says(script, start):
    fails = any(part in start for part in ("nosuch", "None", "[]"))
    if fails and sys.version_info < (3, 11):
        pytest.skip("python adds a frame where an error is raised again")
    (script.home / "other.py").write_text("import sys\nprint(sys.argv, sys.orig_argv)\n")
    ended = script.assert_same(f"import os, subprocess, sys\nx = 1.0\n{start}\n")
    assert bool(ended.err) == fails


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_have_unknown_flags_nan_and_characters_beyond_the_basic_plane(script, method):
    source = CHILDREN.replace("sorted(globals())", "ascii([new, text, nan])").replace("show(2)", "show(1)")
    script.write(source)
    ended = script.launched({"new": [1], "text": "\U0001f600", "nan": INF - INF, "x": 2.0}, method, ".")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count(r"[[1], '\U0001f600', nan]") == 3


def test_fork_server_that_loads_main_has_the_flags(script):
    source = (
        "import subprocess, sys\nfrom multiprocessing import spawn\nx = 1.0\nprint(__name__, x, flush=True)\n"
        "if __name__ == '__main__':\n    path = spawn.get_preparation_data('ignore')['init_main_from_path']\n"
        "    server = 'from multiprocessing import spawn; spawn.import_main_path(%r)' % path\n"
        "    subprocess.run([sys.executable, '-c', server], cwd='/')\n"
    )  # as CPython 3.12.8 and 3.13.1 and later start it
    assert script.assert_same(source).out.count("2.0") == 2


def test_unguarded_start_of_a_child_fails_without_a_word_of_the_launcher(script):
    script.write(
        "import multiprocessing\nx = 1.0\nmultiprocessing.set_start_method('spawn', force=True)\n"
        "p = multiprocessing.Process(target=print)\np.start()\np.join()\nprint(p.exitcode)\n"
    )
    launched = script.launched({"x": 1.0})
    assert "bootstrapping phase" in launched.err
    assert sys.version_info < (3, 11) or "launcher.py" not in launched.err


def test_children_of_another_main_module_are_not_given_the_flags(script):
    (script.home / "other.py").write_text(CHILDREN)
    ended = script.assert_same("import runpy\nx = 1.0\nrunpy.run_path('other.py', run_name='__main__')", "spawn", ".")
    assert (ended.code, ended.out.count(" 1.0 ")) == (0, 4)


def test_import_hook_is_gone_once_multiprocessing_is_there(script):
    source = "import sys\nx = 1.0\nimport multiprocessing.spawn as s\n"
    script.assert_same(source + "print([str(f)[:20] for f in sys.meta_path], s.__file__, s.__loader__.name)")


def test_source_is_read_once(script, tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    spec = tmp_path / "spec"
    spec.write_bytes(marshal.dumps({"script": str(tmp_path / "pipe.py"), "flags": {"x": 2}}, 2))
    with subprocess.Popen([PYTHON, LAUNCH, spec, "pipe.py"], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        (tmp_path / "pipe.py").write_text("x = 1\nprint(x)")
        assert process.communicate(timeout=10)[0] == b"2\n"


def test_launcher_keeps_nothing_of_its_work_alive(script):
    source = (
        "import gc, weakref\nx = 1.0\nclass A: pass\na = A()\nw = weakref.ref(a)\ndel a\nprint(w())\n"
        "print([o for o in gc.get_objects() if hasattr(type(o), '_fields') and hasattr(o, 'lineno')])\n"
    )
    assert script.assert_same(source).out == "None\n[]\n"


def test_launcher_costs_milliseconds(script):
    script.write("x = 1.0")

    def cost(run) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    plain = min(cost(script.plain) for _ in range(9))
    assert min(cost(lambda: script.launched({"x": 2.0})) for _ in range(9)) - plain < 0.02
