"""Values of a run, and decisions about them. No I/O."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.model import api_request as api_request
    from gitrun.model import batch as batch
    from gitrun.model import batch_events as batch_events
    from gitrun.model import batch_record as batch_record
    from gitrun.model import decode as decode
    from gitrun.model import diagnostics as diagnostics
    from gitrun.model import digest as digest
    from gitrun.model import encode as encode
    from gitrun.model import entry as entry
    from gitrun.model import filters as filters
    from gitrun.model import flags as flags
    from gitrun.model import grid as grid
    from gitrun.model import html_table as html_table
    from gitrun.model import lent as lent
    from gitrun.model import log_lines as log_lines
    from gitrun.model import metric_patterns as metric_patterns
    from gitrun.model import metrics as metrics
    from gitrun.model import object_format as object_format
    from gitrun.model import plan as plan
    from gitrun.model import points as points
    from gitrun.model import provenance as provenance
    from gitrun.model import record_files as record_files
    from gitrun.model import repeats as repeats
    from gitrun.model import run as run
    from gitrun.model import run_list as run_list
    from gitrun.model import run_names as run_names
    from gitrun.model import sampling as sampling
    from gitrun.model import secrets as secrets
    from gitrun.model import sequences as sequences
    from gitrun.model import settings as settings
    from gitrun.model import space as space
    from gitrun.model import submodules as submodules
    from gitrun.model import text as text
    from gitrun.model import toml as toml
    from gitrun.model import tree as tree
    from gitrun.model import trial_counts as trial_counts
    from gitrun.model import validation_rules as validation_rules
    from gitrun.model import values as values
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
