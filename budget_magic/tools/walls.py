"""Which files the file tools may touch: those under the root, but none hidden or secret by name."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Final

from budget_magic.errors import ConfigurationError, ToolRefusal

CREDENTIAL_NAMES: Final = (
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.keystore",
    "*.jks",
    "credentials*",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
)
NEVER_SHOWN: Final = (
    "names that start with a dot and credential files, such as *.pem, *.key, *.p12 or "
    "credentials*, are never listed, searched or read"
)


def usable_root(root: Path) -> Path:
    """The root folder with every link in its own path followed.

    Raises
    ------
    ConfigurationError
        It does not exist, is not a folder, or may not be read.
    """
    try:
        resolved = root.expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise ConfigurationError(f"--root {root}: there is no such folder") from None
    if not resolved.is_dir():
        raise ConfigurationError(f"--root {root} is a file; name the folder it is in")
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise ConfigurationError(f"--root {root} may not be read by this process")
    return resolved


def forbidden(name: str) -> str | None:
    """Why a file or folder of this name is never touched, as the end of a sentence; None if it may.

    Letter case and the Unicode form of the name do not matter, since they do not on every disk.

    Examples
    --------
    >>> forbidden("Server.PEM")
    'is a credential file by its name; files like it are never read'
    >>> forbidden("notes.txt") is None
    True
    """
    plain = unicodedata.normalize("NFKC", name).casefold().rstrip(" ")
    if plain.startswith("."):
        return "is hidden, since its name starts with a dot; names like it are never read"
    if any(fnmatchcase(plain, pattern) for pattern in CREDENTIAL_NAMES):
        return "is a credential file by its name; files like it are never read"
    return None


@dataclass(frozen=True, slots=True)
class Walls:
    """The folder that the file tools stay in."""

    root: Path
    """As `usable_root` gives it."""

    def inside(self, path: str) -> Path:
        """The real path that is meant, every link followed.

        Names are judged before the disk is asked, so that a refusal does not tell whether a
        secret or a file outside exists; they are judged again behind all links.

        Raises
        ------
        ToolRefusal
            It leads outside the root, is hidden or secret by name, or cannot be resolved.
        """
        from anthropic.lib.tools.agent_toolset import (  # noqa: PLC0415 - heavy to import
            AgentToolContext,
            resolve_path,
        )

        if "\0" in path:
            raise ToolRefusal("a path holds no NUL character")
        typed = Path(os.path.normpath(self.root / path))
        if typed.is_relative_to(self.root):
            _check_names(path, typed.relative_to(self.root).parts)
        try:
            real = resolve_path(AgentToolContext(workdir=self.root), path)
        except ValueError as error:
            if isinstance(error.__cause__, OSError) and typed.is_relative_to(self.root):
                raise ToolRefusal(f"{path} cannot be followed to a file") from error
            message = f"{path} is outside the root folder, the only one that may be used"
            raise ToolRefusal(message) from error
        _check_names(path, real.relative_to(self.root).parts)
        return real

    def existing(self, path: str) -> Path:
        """The real path that is meant, which exists; raises `ToolRefusal` as `inside` does."""
        real = self.inside(path)
        if not real.exists():
            raise ToolRefusal(f"{path} does not exist")
        return real

    def shown(self, real: Path) -> str:
        """A path as results show it: relative to the root, with forward slashes, on one line."""
        text = real.relative_to(self.root).as_posix()
        return "".join(char if char.isprintable() or char == " " else "\ufffd" for char in text)


def open_regular(real: Path, shown: str) -> BinaryIO:
    """An ordinary file, open for reading; raises `ToolRefusal` for anything else.

    A link that took the file's place since its path was resolved is not followed, and a pipe is
    not waited for.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        mode = real.lstat().st_mode
        if stat.S_ISDIR(mode):
            raise ToolRefusal(f"{shown} is a folder; use `list` on it")
        if not stat.S_ISREG(mode):
            raise ToolRefusal(f"{shown} is not an ordinary file")
        return os.fdopen(os.open(real, flags), "rb")
    except FileNotFoundError:
        raise ToolRefusal(f"{shown} does not exist") from None
    except OSError as error:
        raise ToolRefusal(f"{shown} cannot be read: {(error.strerror or '').lower()}") from error


def _check_names(path: str, parts: Iterable[str]) -> None:
    for part in parts:
        why = forbidden(part)
        if why is not None:
            behind = "" if part in Path(path).parts else f"{path} leads to a file that may not be: "
            raise ToolRefusal(f"{behind}{part} {why}")
