"""A supervised child process. Knows no git and no runs."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.process import child as child
    from gitrun.process import environment as environment
    from gitrun.process import output_lines as output_lines
    from gitrun.process import pool as pool
    from gitrun.process import recorder as recorder
    from gitrun.process import run as run
    from gitrun.process import signals as signals
    from gitrun.process import starter as starter
    from gitrun.process import starting as starting
    from gitrun.process import status_block as status_block
    from gitrun.process import status_line as status_line
    from gitrun.process import streams as streams
    from gitrun.process import tree as tree
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
