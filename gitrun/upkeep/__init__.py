"""Finds and repairs damage, and frees space: doctor, fsck, gc."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.upkeep import archiving as archiving
    from gitrun.upkeep import deleted_runs as deleted_runs
    from gitrun.upkeep import doctor as doctor
    from gitrun.upkeep import fsck as fsck
    from gitrun.upkeep import gc as gc
    from gitrun.upkeep import maintenance as maintenance
    from gitrun.upkeep import rewritten as rewritten
    from gitrun.upkeep import run_notes as run_notes
    from gitrun.upkeep import scope as scope
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
