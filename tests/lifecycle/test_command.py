"""The words and the environment of a program."""

from __future__ import annotations

from gitrun import Project
from gitrun.source.planning import fill_placeholders, flag_variables


def test_words_are_filled_with_flags_and_other_braces_stay() -> None:
    flags = {"lr": 1e-05, "on": True, "text": "{lr}", "list": [1, "a"]}
    words = ["--lr={lr}", "{on}", "{text}", "{list}", "{other}", "{}", "${lr}", "{{lr}}"]
    assert fill_placeholders(words, flags) == ["--lr=1e-05", "true", "{lr}", '[1, "a"]', "{other}", "{}", "$1e-05", "{1e-05}"]


def test_flags_are_in_the_environment_under_upper_case_names() -> None:
    found = flag_variables({"batch-size": 8, "a.b/c": "x", "naïve": 1, "nul": "\0"})
    assert found == {"FLAG_BATCH_SIZE": "8", "FLAG_A_B_C": "x", "FLAG_NA_VE": "1"}


def test_a_flag_too_long_for_an_environment_is_left_out_of_it(repo):
    long = "x" * (200 << 10)
    repo.write("p.py", "x = ''\nimport os\nprint(len(x), 'FLAG_X' in os.environ)\n")
    assert Project(repo.path).run("p.py", flags={"x": long}).output == f"{200 << 10} False\n"


def test_a_script_named_like_an_option_is_run(repo):
    repo.write("-x.py", "n = 1\nprint(n)\n")
    repo.write("-y.sh", "echo y\n")
    assert Project(repo.path).run("./-x.py").output == "1\n"
    assert Project(repo.path).run("./-x.py", flags={"n": 2}).output == "2\n"
    assert Project(repo.path).run("./-y.sh").output == "y\n"
