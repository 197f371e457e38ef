"""The two doors to git: the executable and libgit2; objects, status, locks."""

TYPE_CHECKING = False  # importing typing for its constant takes longer than all the rest
if TYPE_CHECKING:
    from gitrun.git import exe as exe
    from gitrun.git import gc_lock as gc_lock
    from gitrun.git import identity as identity
    from gitrun.git import lock_state as lock_state
    from gitrun.git import locks as locks
    from gitrun.git import objects as objects
    from gitrun.git import odb as odb
    from gitrun.git import pack as pack
    from gitrun.git import stale_locks as stale_locks
    from gitrun.git import status as status
    from gitrun.git import stderr_reader as stderr_reader
    from gitrun.git import trees as trees
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
