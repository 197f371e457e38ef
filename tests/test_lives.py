"""Six projects as people have them, each through a whole life: run, edit, restart, four at once, push, trust, verify."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from clones import clone
from launchers import ran, said, tool, world
from repository import Repo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Life:
    """A project: words that run it and print the value of `edited` files, and how to install it in a clone.

    `words` take the rate of a run at `{rate}`; the program writes it into the ignored `result`, reads it back, and prints
    `VALUE RATE`.
    """

    repo: Repo
    words: tuple[str, ...]
    edited: str
    result: str
    environ: dict[str, str] = field(default_factory=dict)
    install: Callable[[Repo, dict[str, str]], None] = lambda *_: None

    def call(self, rate: str) -> list[str]:
        return [word.format(rate=rate) for word in self.words]

    def edit(self) -> None:
        """Makes the value of the program another one."""
        path = self.repo.path / self.edited
        text = path.read_text()
        assert "1001" in text
        path.write_text(text.replace("1001", "2002"))


WRITE = """
import pathlib, time
out = pathlib.Path("{out}")
out.mkdir(parents=True, exist_ok=True)
(out / "rate").write_text(str({rate}))
time.sleep(0.3)
print({value}, (out / "rate").read_text())
"""


def make_dvc(place: Path) -> Life:
    """Params and stages as DVC has them, data that git ignores."""
    repo = Repo.create(place / "dvc")
    repo.write("params.yaml", "train:\n  rate: 0.1\n  rows: 2\n")
    repo.write("dvc.yaml", "stages:\n  train:\n    cmd: python train.py\n    params: [train]\n    outs: [models]\n")
    load = 'import yaml\nparams = yaml.safe_load(open("params.yaml"))["train"]\ndata = open("data/raw.csv").read().split()\n'
    repo.write(
        "train.py", load + "VALUE = 1001 + len(data) - 2\n" + WRITE.format(out="models", rate='params["rate"]', value="VALUE")
    )
    repo.write(".gitignore", "/data/\n/models/\n__pycache__/\n")
    repo.write("data/raw.csv", "a\nb\n")
    repo.write("models/old", "kept by nobody")
    repo.commit()

    def install(clone: Repo, environ: dict[str, str]) -> None:
        clone.write("data/raw.csv", "a\nb\n")

    return Life(repo, ("train.py", "train.rate={rate}"), "train.py", "models/rate", install=install)


def make_hydra(place: Path) -> Life:
    """A template with groups of configuration, whose outputs go where the configuration says."""
    repo = Repo.create(place / "hydra")
    repo.write(
        "configs/train.yaml", "defaults:\n  - model: small\n  - _self_\nrate: 0.1\nhydra:\n  run:\n    dir: outputs/now\n"
    )
    repo.write("configs/model/small.yaml", "width: 4\n")
    repo.write("configs/model/large.yaml", "width: 8\n")
    head = "import hydra\n\n\n@hydra.main(version_base=None, config_path='../configs', config_name='train')\ndef main(cfg):\n"
    body = WRITE.format(out="logs", rate="cfg.rate", value="1001").strip().replace("\n", "\n    ")
    repo.write("src/train.py", f"{head}    {body}\n\n\nmain()\n")
    repo.write(".gitignore", "/logs/\n/outputs/\n__pycache__/\n")
    repo.write("logs/old", "")
    repo.commit()
    return Life(repo, ("src/train.py", "rate={rate}", "model=large"), "src/train.py", "logs/rate")


PACKAGE = "import sys\n\n\ndef main() -> None:\n    from demo.value import VALUE\n" + WRITE.format(
    out="out", rate="sys.argv[1]", value="VALUE"
).replace("\n", "\n    ").rstrip(" ")


def make_uv(place: Path) -> Life:
    """A package with its source below src/, of uv."""
    environ = world(place / "home")
    said(["uv", "init", "--quiet", "--package", "--python", sys.executable, "--vcs", "none", "demo"], place, environ)
    repo = packaged(place / "demo")
    text = (repo.path / "pyproject.toml").read_text()
    repo.write("pyproject.toml", text.replace("demo:main", "demo.work:main"))

    def install(repo: Repo, environ: dict[str, str]) -> None:
        said(["uv", "sync", "--quiet", "--python", sys.executable], repo.path, environ)

    install(repo, environ)
    repo.commit()
    return Life(repo, ("--", "uv", "run", "demo", "{rate}"), "src/demo/value.py", "out/rate", environ, install)


def make_poetry(place: Path) -> Life:
    """The same of poetry, whose environments lie elsewhere."""
    environ = world(place / "home", tool("poetry"))
    said(["poetry", "new", "--quiet", "--no-interaction", "demo"], place, environ)
    repo = packaged(place / "demo")
    file = repo.path / "pyproject.toml"
    file.write_text(file.read_text() + '\n[project.scripts]\ndemo = "demo.work:main"\n')

    def install(repo: Repo, environ: dict[str, str]) -> None:
        said(["poetry", "install", "--quiet", "--no-interaction"], repo.path, environ)

    install(repo, environ)
    repo.commit()
    return Life(repo, ("--", "poetry", "run", "demo", "{rate}"), "src/demo/value.py", "out/rate", environ, install)


def packaged(place: Path) -> Repo:
    """A repository at a place where a tool has made a project, with a module that works."""
    repo = Repo(place)
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.write("src/demo/work.py", PACKAGE)
    repo.write("src/demo/value.py", "VALUE = 1001\n")
    repo.write(".gitignore", ".venv/\nout/\n__pycache__/\n")
    repo.write("out/old", "")
    return repo


def make_c(place: Path) -> Life:
    """A benchmark in C with make, whose build products are in an ignored directory that exists."""
    if not (shutil.which("cc") and shutil.which("make")):
        pytest.skip("there is no C compiler, or no make")
    repo = Repo.create(place / "c")
    repo.write("value.h", "#define VALUE 1001\n")
    code = (
        '#include <stdio.h>\n#include <unistd.h>\n#include "value.h"\nint main(int argc, char **argv) {\n'
        '  char rate[20]; FILE *f = fopen("build/rate", "w"); fputs(argv[1], f); fclose(f); usleep(300000);\n'
        '  f = fopen("build/rate", "r"); fscanf(f, "%19s", rate); printf("%d %s\\n", VALUE, rate); return 0;\n}\n'
    )
    repo.write("bench.c", code)
    make = "run: build/bench\n\t@build/bench $(RATE)\nbuild/bench: bench.c value.h\n\t@mkdir -p build\n\t@cc -o $@ bench.c\n"
    repo.write("Makefile", make)
    repo.write(".gitignore", "build/\n")
    subprocess.run(["make", "-s", "run", "RATE=0"], cwd=repo.path, check=True, capture_output=True)
    repo.commit()
    return Life(repo, ("--", "make", "-s", "run", "RATE={rate}"), "value.h", "build/rate")


def make_sklearn(place: Path) -> Life:
    """A loop of scikit-learn under a progress bar, with its metrics printed beside it."""
    repo = Repo.create(place / "sklearn")
    code = (
        "import sys\nimport numpy as np\nfrom sklearn.linear_model import SGDClassifier\nfrom tqdm import tqdm\n"
        "rate = 0.1\nVALUE = 1001\n"
        "x = np.array([[0.0], [1.0], [2.0], [3.0]])\ny = np.array([0, 0, 1, 1])\n"
        "model = SGDClassifier(eta0=rate, learning_rate='constant', random_state=0)\n"
        "for epoch in tqdm(range(3)):\n    model.partial_fit(x, y, classes=[0, 1])\n"
        "    tqdm.write(f'accuracy: {model.score(x, y)}')\n"
    )
    repo.write("fit.py", code + WRITE.format(out="out", rate="rate", value="VALUE"))
    repo.write(".gitignore", "out/\n")
    repo.write("out/old", "")
    repo.commit()
    return Life(repo, ("fit.py", "rate={rate}"), "fit.py", "out/rate")


MAKERS = {
    "dvc": make_dvc, "hydra": make_hydra, "uv": make_uv, "poetry": make_poetry, "c": make_c, "sklearn": make_sklearn,
}  # fmt: skip


QUICK = ("c",)
"""Those that live by default: it has nothing to install. Each life takes 5 to 20 s."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in MAKERS])
def test_a_project_lives(name, tmp_path):
    life = MAKERS[name](tmp_path)
    repo, environ = life.repo, life.environ
    repo.git("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))

    first = repo.run(*life.call("0.5"), check=True, env=environ)
    assert first.stdout.splitlines()[-1] == "1001 0.5"
    life.edit()
    second = repo.run(*life.call("0.5"), check=True, env=environ)
    assert second.stdout.splitlines()[-1] == "2002 0.5"
    again = repo.run("--restart", ran(first), check=True, env=environ)
    assert again.stdout.splitlines()[-1] == "1001 0.5"

    rates = ["1.5", "2.5", "3.5", "4.5"]
    programs = [repo.start(*life.call(rate), env=environ) for rate in rates]
    ends = [program.communicate(timeout=120) for program in programs]
    assert [out.splitlines()[-1:] for out, _ in ends] == [[f"2002 {rate}"] for rate in rates], ends
    found = {repo.run("cat", str(number), "-p", life.result, check=True).stdout for number in (1, 2, 3, 4)}
    assert found == set(rates)
    assert not (repo.path / life.result).exists() or (repo.path / life.result).read_text() not in rates

    repo.git("push", "--quiet", "origin", "HEAD:main")
    repo.run("push", check=True, env=environ)
    (tmp_path / "elsewhere").mkdir()
    other = clone(tmp_path / "remote.git", tmp_path / "elsewhere" / repo.path.name)
    life.install(other, environ)
    other.run("fetch", check=True, env=environ)
    refused = other.run("--restart", ran(first), env=environ)
    assert refused.returncode == 128
    assert "trust" in refused.stderr
    other.run("trust", ran(first), check=True, env=environ)
    verified = other.run("verify", "--ignore", "build/*", "--ignore", "outputs/*", ran(first), env=environ)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    restarted = other.run("--restart", ran(first), check=True, env=environ)
    assert restarted.stdout.splitlines()[-1] == "1001 0.5"
