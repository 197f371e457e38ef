"""Which files with parameters a script loads, by the text of the script alone."""

from __future__ import annotations

import pytest

from gitrun.scripts.discover import read_script

YAML = "import yaml\n"
INI = "import configparser\nc = configparser.ConfigParser()\n"
HERE = "import json, os\nfrom pathlib import Path\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
AB = ["a.json", "b.json"]


def files(source: str) -> list[str]:
    return [f"{one.path}{f':{one.section}' if one.section else ''}" for one in read_script(source.encode(), "t.py").files]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (YAML + "p = yaml.safe_load(open('params.yaml'))", ["params.yaml"]),
        (YAML + "p = yaml.load(open('params.yaml', 'r'), Loader=yaml.SafeLoader)", ["params.yaml"]),
        (YAML + "p = yaml.safe_load(open('params.yaml'))['train']", ["params.yaml:train"]),
        (YAML + "p = yaml.safe_load(open('a.yml').read())", ["a.yml"]),
        (YAML + "def f():\n    with open('./a.yaml', encoding='utf-8') as s:\n        return yaml.full_load(s)", ["a.yaml"]),
        (YAML + "from pathlib import Path\np = yaml.safe_load(Path('c/a.yaml').read_text())", ["c/a.yaml"]),
        (YAML + "from pathlib import Path\ntext = Path('c', 'a.yaml').read_text()\np = yaml.safe_load(text)", ["c/a.yaml"]),
        (YAML + "from pathlib import Path\nwith (Path('c') / 'a.yaml').open() as s:\n    p = yaml.safe_load(s)", ["c/a.yaml"]),
        ("import json\nwith open('a.json') as f: f = json.load(f)", ["a.json"]),
        ("import json\nf = open('a.json')\nf = f.read()\nf = json.loads(f)", ["a.json"]),
        ("import json\nwith open('a.json') as f:\n    a = json.load(f)\nwith open('b.json') as f:\n    b = json.load(f)", AB),
        ("from yaml import safe_load as load\np = load(open('a.yaml'))", ["a.yaml"]),
        ("import json\nC = 'c.json'\np = json.load(open(C))", ["c.json"]),
        (HERE + "p = json.load(open(os.path.join(HERE, 'c.json')))", ["{script}/c.json"]),
        (HERE + "p = json.loads((Path(__file__).resolve().parent / 'c.json').read_text())", ["{script}/c.json"]),
        ("import tomllib\nwith open('c.toml', 'rb') as f:\n    p = tomllib.load(f)", ["c.toml"]),
        ("import toml\np = toml.load('c.toml')", ["c.toml"]),
        (INI + "c.read('c.ini')", ["c.ini"]),
        (INI + "c.read(['conf/c.cfg'], encoding='utf-8')", ["conf/c.cfg"]),
        (INI + "PATH = 'c.ini'\nc.read(PATH)", ["c.ini"]),
        (INI + "with open('c.ini') as f:\n    c.read_file(f)", ["c.ini"]),
        (INI + "import os\nc.read(os.path.join(os.path.dirname(__file__), 'c.ini'))", ["{script}/c.ini"]),
        ("from configparser import RawConfigParser as P\ndef f():\n    p = P()\n    p.read('c.ini')", ["c.ini"]),
        ("from omegaconf import OmegaConf\np = OmegaConf.load('c.yaml')", ["c.yaml"]),
        ("import dvc.api\np = dvc.api.params_show()", ["params.yaml"]),
        ("from dvc.api import params_show\np = params_show('a.yaml')", ["a.yaml"]),
    ],
)
def test_a_file_that_is_loaded_by_a_literal_name_is_found(source: str, expected: list[str]) -> None:
    assert sorted(files(source)) == expected


@pytest.mark.parametrize(
    "source",
    [
        "import json, sys\np = json.load(open(sys.argv[1]))",
        "import json\np = json.load(open('/etc/c.json'))",
        "import json\np = json.load(open('data.jsonl'))",
        "import json\np = json.loads('{}')",
        "import json\njson.dump({}, open('out.json', 'w'))",
        "import json\ns = json.load(open('state.json'))\nwith open('state.json', 'w') as f:\n    json.dump(s, f)",
        "import json\nfrom pathlib import Path\nS = Path('s.json')\nx = json.loads(S.read_text())\nS.write_text('{}')",
        "import json\ndef f(x):\n    x = x.read()\n    return json.loads(x)",
        "import json\nP = P / 'a.json'\njson.load(open(P))",
        "def load(x): ...\nload(open('c.json'))",
        INI + "c.read('a.ini')\nc.read('b.ini')",
        INI + "c.read(['a.ini', 'b.ini'])",
        INI + "c.read('c.ini')\nwith open('c.ini', 'w') as f:\n    c.write(f)",
        INI + "c.read_string('[a]')\nd.read('c.ini')",
        "from mine import ConfigParser  # not configparser\nc = ConfigParser()\nc.read('c.ini')",
        YAML + "import hydra\n@hydra.main(config_path='c', config_name='n')\ndef f(c): yaml.safe_load(open('a.yaml'))",
    ],
)
def test_what_is_no_file_of_parameters_is_none(source: str) -> None:
    assert files(source) == []
