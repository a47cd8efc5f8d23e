"""Confine the file tools to the root, and refuse hidden and credential files by name.

A path is resolved and judged first, then opened without following links (`DirectoryHandle`).
Links that stay under the root may be followed; a hard link to a file outside cannot be recognised.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from budget_magic.errors import ConfigurationError, ToolRefusal
from budget_magic.tools.directory_handle import DirectoryHandle, Parts

CREDENTIAL_NAMES: Final = (
    "*.pem", "*.key", "*.p12", "*.pfx", "*.ppk", "*.keystore", "*.jks", "*.kdbx", "*.tfstate",
    "credentials*", "*credentials", "*credential", "*credential*.*",
    "service[-_]account*.json", "token.json",
    "secrets.yaml", "secrets.yml", "secrets.json", "secrets.toml",
    "kubeconfig", "*.kubeconfig", "netrc", "_netrc", "htpasswd",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
)  # fmt: skip
"""Names of files that hold credentials; see also `CODE` and `_BACKUP`."""
CODE: Final = tuple(
    f".{ending}"
    for ending in (
        "c", "cc", "cjs", "cpp", "cs", "dart", "ex", "exs", "go", "h", "hpp", "hs", "java", "jl",
        "js", "jsx", "kt", "kts", "lua", "mjs", "ml", "php", "pl", "py", "pyi", "r", "rb", "rs",
        "scala", "swift", "ts", "tsx", "vue",
    )
)  # fmt: skip
"""Endings of source code, which rarely holds the credentials that it is named after."""
_BACKUP: Final = re.compile(r"(?:~|\.(?:bak|backup|copy|old|orig|save|swp|tmp|\d{1,9})?)+\Z")
"""Suffixes of backup copies."""
NEVER_SHOWN: Final = (
    "names that start with a dot and credential files, such as *.pem, *.key, *.tfstate or "
    "credentials*, are never listed, searched or read"
)


def usable_root(root: Path) -> Path:
    """Return the root folder with all links resolved; raise ConfigurationError if unusable."""
    try:
        resolved = root.expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise ConfigurationError(
            f"{root}: there is no such folder; create it or name another", setting="root"
        ) from None
    if not resolved.is_dir():
        raise ConfigurationError(f"{root} is a file; name the folder it is in", setting="root")
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise ConfigurationError(f"{root} may not be read by this process", setting="root")
    return resolved


def forbidden(name: str) -> str | None:
    """Return why a name is forbidden, as the end of a sentence; None if it is not.

    Letter case and Unicode form are ignored, as some disks do. A copy, such as `server.pem.bak`, is
    judged by the original's name.

    >>> forbidden("Server.PEM")
    'is a credential file by its name; files like it are never read'
    """
    plain = unicodedata.normalize("NFKC", name).casefold().rstrip(" ")
    if plain.startswith("."):
        return "is hidden, since its name starts with a dot; names like it are never read"
    kept = _BACKUP.sub("", plain)
    if not kept.endswith(CODE) and any(fnmatchcase(kept, one) for one in CREDENTIAL_NAMES):
        return "is a credential file by its name; files like it are never read"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file or folder under the root."""

    parts: Parts
    """Its path below the root, every link followed."""
    stat: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.stat.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return stat.S_ISREG(self.stat.st_mode)


class PathSandbox(DirectoryHandle):
    """The root folder of the file tools, from `usable_root`, held open for one call."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            super().__init__(str(root))
        except OSError as error:
            raise unreadable("the root folder", error) from error

    def find(self, path: str) -> Found:
        """Return a file or folder, every link followed.

        Raise `ToolRefusal` if it is outside the root, forbidden by name, or cannot be found.
        """
        parts = self._inside(path)
        try:
            found = Found(parts=parts, stat=self.stat(parts))
        except (FileNotFoundError, NotADirectoryError):
            raise ToolRefusal(f"{path} does not exist") from None
        except OSError as error:
            raise unreadable(path, error) from error
        if stat.S_ISLNK(found.stat.st_mode):  # a loop, or swapped since it was resolved
            raise ToolRefusal(f"{path} cannot be followed to a file")
        return found

    def _inside(self, path: str) -> Parts:
        """Return the real path below the root.

        Names are judged before the disk is asked, so that a refusal does not tell whether a
        secret or a file outside exists, and once more after all links were followed.
        """
        if "\0" in path:
            raise ToolRefusal("a path cannot contain a NUL character")
        typed = Path(os.path.normpath(self.root / path))
        if typed.is_relative_to(self.root):
            _check_names(path, typed.relative_to(self.root).parts)
        real = Path(os.path.realpath(typed))
        if not real.is_relative_to(self.root):
            raise ToolRefusal(f"{path} is outside the root folder, the only one that may be used")
        parts = real.relative_to(self.root).parts
        _check_names(path, parts)
        return parts


def shown(parts: Iterable[str]) -> str:
    """Return a path as results show it: relative to the root, with forward slashes, on one line."""
    text = "/".join(parts) or "."
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def unreadable(name: str, error: OSError) -> ToolRefusal:
    """Return the refusal for a file or folder that cannot be opened."""
    return ToolRefusal(f"{name} cannot be read: {(error.strerror or '').lower()}")


def _check_names(path: str, parts: Iterable[str]) -> None:
    for part in parts:
        why = forbidden(part)
        if why is not None:
            link = "" if part in Path(path).parts else f"{path} leads to a forbidden file: "
            raise ToolRefusal(f"{link}{part} {why}")
