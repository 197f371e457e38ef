"""The form of object ids in a repository: SHA-1, or SHA-256 (git 2.29 and newer)."""

from __future__ import annotations

from gitrun.dataclass import dataclass
from gitrun.model.digest import hash_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True, slots=True)
class ObjectFormat:
    """The form of ids: its name in `extensions.objectFormat`, the hex digits of an id, and the id of the empty tree.

    Git knows the empty tree without an object.
    """

    name: str
    digits: int
    empty_tree: str

    @property
    def size(self) -> int:
        """Returns the bytes of an id in trees, indexes and packs."""
        return self.digits // 2

    @property
    def zero(self) -> str:
        """Returns the id that stands for no object."""
        return "0" * self.digits

    def hash(self, data: bytes) -> _Hash:
        """Returns the hash of the data that names objects and ends packs and indexes."""
        return hash_object(self.name, data)


SHA1 = ObjectFormat("sha1", 40, "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
SHA256 = ObjectFormat("sha256", 64, "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321")
FORMATS = {one.name: one for one in (SHA1, SHA256)}


def format_of(object_id: str) -> ObjectFormat:
    """Returns the object format that has ids of this length."""
    return SHA256 if len(object_id) == SHA256.digits else SHA1


def is_absent(object_id: str) -> bool:
    """Returns whether this is the id that stands for no object, as in the input of hooks."""
    return not object_id.strip("0")
