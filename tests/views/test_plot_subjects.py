"""The metrics and runs that the words of a plot mean."""

from __future__ import annotations

import pytest
from batch_of_four import batch_of_four
from templates import made_once

from gitrun import Project
from gitrun.errors import NoMatch, UnknownRun, UsageError
from gitrun.views.plot_subjects import CURVES, HISTORY, SCATTER, PlotRequest, PlotSubject
from gitrun.views.plots import PlotLook
from gitrun.views.select import Query

TRAIN = """\
import gitrun
lr = 0.1
opt = "sgd"
for step in range(3):
    gitrun.log({"loss": lr * (3 - step), "acc": step})
"""


@pytest.fixture
@made_once
def nine(repo):
    """Seven runs of train.py (lr from 0.1 to 0.7, the first marked), one of other.py with a loss, one of echo.py without."""
    repo.write("train.py", TRAIN)
    repo.write("other.py", TRAIN.replace("acc", "f1"))
    repo.write("broken.py", TRAIN + "1 / 0\n")
    repo.run("other.py", check=True)
    for tenth in range(1, 8):
        repo.run("train.py", f"lr=0.{tenth}", "opt=adam" if tenth > 5 else "opt=sgd", check=True)
        if tenth == 1:
            repo.run("mark", "1", check=True)
    repo.run("echo.py", check=True)
    return repo


def subject_of(repo, *words: str, form: str = CURVES, limit: int | None = None, **question) -> PlotSubject:
    return Project(repo.path).runs.find_plotted(PlotRequest(words, Query(**question), form, limit))


def rates(subject: PlotSubject) -> list[object]:
    return [run.flags["lr"] for run in subject.runs]


def test_marked_and_five_newest_runs_of_the_operation_are_drawn(nine) -> None:
    assert rates(subject_of(nine, "loss")) == [0.1, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert [run.operation for run in subject_of(nine, "f1").runs] == ["other.py"]


def test_words_are_metrics_up_to_the_first_that_is_none(nine) -> None:
    subject = subject_of(nine, "loss", "acc", "2", "4:5")
    assert subject.metrics == ("loss", "acc")
    assert rates(subject) == [0.7, 0.5, 0.4]
    # an operation names its latest run; other.py has no acc, but a loss
    assert [run.operation for run in subject_of(nine, "loss", "acc", "other.py", "2").runs] == ["other.py", "train.py"]


def test_filters_and_limit_choose_runs_as_list_does(nine) -> None:
    assert rates(subject_of(nine, "loss", expression="lr<0.4 and opt=sgd", operations=("train.py",))) == [0.3, 0.2, 0.1]
    subject = subject_of(nine, "loss", operations=("train.py",), sort="lr", limit=2)
    assert (rates(subject), subject.more) == ([0.1, 0.2], 5)


def test_pair_of_names_is_a_scatter_of_all_completed_runs(nine) -> None:
    nine.run("broken.py")
    for word, x in (
        ("lr:loss", "lr"),
        ("flag:lr:metric:loss", "flag:lr"),
        ("opt:loss:min", "opt"),
        ("duration:loss", "duration"),
    ):
        subject = subject_of(nine, word)
        assert (subject.form, subject.x) == (SCATTER, x)
        assert len(subject.runs) == 7


def test_runs_without_the_metric_are_named_only_if_asked_for(nine) -> None:
    subject = subject_of(nine, "loss", "1", "2")
    assert rates(subject) == [0.7]
    assert subject.notes == (f"note: run {Project(nine.path).find('1').id[:8]} has no metric to draw",)
    assert subject_of(nine, "loss").notes == ()


@pytest.mark.parametrize(
    ("words", "form", "error", "said"),
    [
        (("los",), CURVES, UsageError, "no run has a metric 'los'. Metrics: acc, f1, loss"),
        (("los", "2"), CURVES, UsageError, "no run has a metric 'los'. Metrics: acc, loss"),
        (("lr:los",), CURVES, UsageError, "no run has a metric 'lr:los'. Metrics: acc, f1, loss"),
        (
            ("loss", "ac"),
            CURVES,
            UnknownRun,
            "no run or metric 'ac'. To list all runs: git run list --all. Metrics: acc, f1, loss",
        ),
        (("loss", "99"), CURVES, UnknownRun, "no run 99: the list has 9 runs. To list all runs"),
        (("loss:min",), CURVES, UsageError, "To draw the curve: git run plot loss."),
        (("lr:loss",), HISTORY, UsageError, "'lr:loss' and --best cannot be combined"),
        (("lr:loss", "acc"), CURVES, UsageError, "'lr:loss' and other metrics cannot be combined"),
    ],
)
def test_wrong_words_are_refused_with_what_there_is(nine, words, form, error, said) -> None:
    with pytest.raises(error) as raised:
        subject_of(nine, *words, form=form)
    assert said in str(raised.value)


def test_repository_without_runs_says_how_to_make_one(empty_repo) -> None:
    empty_repo.commit()
    with pytest.raises(NoMatch, match="no runs here yet"):
        subject_of(empty_repo, "loss")


def test_batch_means_its_trials_the_best_first(repo) -> None:
    batch_of_four(repo)
    subject = subject_of(repo, "loss", "1")
    assert [run.attempt.trial for run in subject.runs][:3] == [2, 1, 4]
    history = Project(repo.path).runs.plot(subject_of(repo, "loss", "1", form=HISTORY), PlotLook())
    assert history.x_name == "trial"
    assert [trace.xs[0] for trace in history.panels[0].traces] == [1, 2, 4]
    assert history.panels[0].best is not None
    assert history.runs[history.panels[0].best.index].run.attempt.trial == 2


def test_direction_of_the_best_is_that_of_the_batch_unless_given(repo) -> None:
    repo.write("train.py", TRAIN)
    repo.run("train.py", "lr=[0.1, 0.2]", "--maximize", "loss", check=True)
    batch = next(run.id for run in Project(repo.path).list_runs() if run.attempt.kind == "batch")
    project = Project(repo.path)
    subject = subject_of(repo, "loss", batch, form=HISTORY)
    panels = [project.runs.plot(subject, PlotLook(maximize=maximize)).panels[0] for maximize in (None, False)]
    assert [panel.is_largest for panel in panels] == [True, False]
