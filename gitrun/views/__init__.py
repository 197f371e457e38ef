"""Reading many runs: select, compare, diff, history, report."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.views import batches as batches
    from gitrun.views import code_changes as code_changes
    from gitrun.views import compare as compare
    from gitrun.views import contents as contents
    from gitrun.views import curves as curves
    from gitrun.views import diff as diff
    from gitrun.views import family as family
    from gitrun.views import formats as formats
    from gitrun.views import frames as frames
    from gitrun.views import gates as gates
    from gitrun.views import history as history
    from gitrun.views import lineage as lineage
    from gitrun.views import listing as listing
    from gitrun.views import paths as paths
    from gitrun.views import plot_subjects as plot_subjects
    from gitrun.views import plots as plots
    from gitrun.views import reader as reader
    from gitrun.views import report as report
    from gitrun.views import select as select
    from gitrun.views import watched as watched
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
