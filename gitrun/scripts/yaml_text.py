"""YAML as OmegaConf reads it, and its values as flags with dotted names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, copy_value, is_flag_name
from gitrun.scripts.signatures import infer_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 20
MAX_FLAGS = 5_000
MAX_DEPTH = 20
MISSING = "???"
NO_YAML = "Its configuration is YAML. To read it: pip install 'git-run-tracker[yaml]'"
# OmegaConf 2.3, _utils.get_yaml_loader: YAML 1.1 reads 1e-3 as text
FLOAT = re.compile(
    r"""^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)"""
    r"""|\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"""
)


class NoYamlError(Exception):
    """Raised if PyYAML is not installed."""


def read_yaml(data: bytes) -> Mapping[str, Any]:
    """Returns the document; an empty one if it is not a mapping, is too large or does not parse. Raises NoYamlError."""
    try:
        import yaml  # an optional package
    except ImportError as error:
        raise NoYamlError(NO_YAML) from error

    class Loader(yaml.SafeLoader):
        """A SafeLoader with OmegaConf's types."""

    # OmegaConf reads dates as text
    times = "tag:yaml.org,2002:timestamp"
    Loader.yaml_implicit_resolvers = {
        key: [(tag, regexp) for tag, regexp in resolvers if tag != times]
        for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))
    if len(data) > MAX_BYTES:
        return {}
    try:
        document = yaml.load(data, Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}


def read_yaml_flags(document: Mapping[str, Any], action: str, prefix: str = "", depth: int = 0) -> Iterator[Flag]:
    """Yields a flag with a dotted name for each value that a flag can hold. `???` marks a value that must be given."""
    for count, (key, value) in enumerate(document.items()):
        name = f"{prefix}{key}"
        if count > MAX_FLAGS or not isinstance(key, str) or not is_flag_name(name):
            continue
        if isinstance(value, Mapping):
            if depth < MAX_DEPTH:
                yield from read_yaml_flags(value, action, f"{name}.", depth + 1)
            continue
        try:
            default = None if value is None or value == MISSING else copy_value(name, value)
        except UsageError:
            continue
        # OmegaConf's containers take any value; the words that the user types decide
        yield Flag(
            name,
            default,
            "any" if not isinstance(default, list) else infer_kind(default),
            action=action,
            required=value == MISSING,
        )
