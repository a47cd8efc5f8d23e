"""A folder held open, so that nothing below it is opened through a link that leads outside.

Between the check of a path and its opening, a folder in it may be replaced by a link. Here each
name is opened relative to the folder before it (`openat`), and none may be a link. Platforms
without such calls (Windows) open the path as a whole and do not notice the replacement.

The search process imports this file on its own, so it uses the standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Self

HAS_HANDLES = (
    {os.open, os.stat} <= os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
)
Parts = tuple[str, ...]
"""A path below a folder, name by name."""


def _flags(*names: str) -> int:
    return sum(getattr(os, name, 0) for name in names)


_FOLDER = _flags("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
# Linux allows passing through a folder that may not be listed.
_PASSED = _FOLDER | _flags("O_PATH")
# Opening a pipe must not block.
_FILE = _flags("O_RDONLY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY")


class DirectoryHandle:
    """One folder, held open; `root` is its path with every link followed.

    All methods take a path as its parts, relative to the folder, and raise `OSError` if it does
    not exist or a part of it is a link.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._fd = os.open(root, _PASSED) if HAS_HANDLES else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def stat(self, parts: Sequence[str]) -> os.stat_result:
        """Return the status of a path; links are not followed."""
        with self._parent(parts) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def open(self, parts: Sequence[str]) -> BinaryIO:
        """Return an ordinary file, open for reading; raises `OSError` for anything else."""
        with self._parent(parts) as (folder, name):
            fd = os.open(name, _FILE, dir_fd=folder)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return os.fdopen(fd, "rb")
        os.close(fd)
        raise OSError(errno.EINVAL, "not an ordinary file")

    @contextmanager
    def scan(self, parts: Sequence[str]) -> Iterator[Iterator[os.DirEntry[str]]]:
        """Yield the entries of a folder; their `stat` works inside only."""
        with self._parent(parts) as (folder, name):
            listed = name if folder is None else os.open(name, _FOLDER, dir_fd=folder)
        try:
            with os.scandir(listed) as entries:
                yield entries
        finally:
            if isinstance(listed, int):
                os.close(listed)

    @contextmanager
    def _parent(self, parts: Sequence[str]) -> Iterator[tuple[int | None, str]]:
        """Yield the parent folder of a path and its name there; without handles, the path."""
        if self._fd is None:
            yield None, os.path.join(self._root, *parts)  # noqa: PTH118 - no links, no Path
            return
        folder = os.open(".", _PASSED, dir_fd=self._fd)
        try:
            for part in parts[:-1]:
                inner = os.open(part, _PASSED, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder, parts[-1] if parts else "."
        finally:
            os.close(folder)
