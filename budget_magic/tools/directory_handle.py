"""A folder held open, so that nothing below it is opened through a link that leads outside.

A path that was checked may lead elsewhere by the time it is opened, if a folder in it was replaced
by a link. Here each name is opened relative to the folder before it (`openat`), and none may be a
link. Where a platform has no such calls (Windows), paths are opened as they stand, and such a
replacement is not noticed.

The search process imports this file on its own, so it uses the standard library only.
"""

from __future__ import annotations

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
# A folder may be passed through that may not be listed (Linux).
_PASSED = _FOLDER | _flags("O_PATH")
# A pipe is not waited for.
_FILE = _flags("O_RDONLY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY")


class NotRegularFile(OSError):  # noqa: N818 - says what it met
    """The path names no ordinary file."""


class DirectoryHandle:
    """One folder, held open.

    All methods take a path as its parts, relative to the folder, and raise `OSError` where it does
    not exist or a part of it is a link.

    Parameters
    ----------
    root
        The folder, every link in its path followed.
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
        if self._fd is None:
            return os.lstat(os.path.join(self._root, *parts))  # noqa: PTH118 - no links, no Path
        if not parts:
            return os.fstat(self._fd)
        with self._folder(parts[:-1]) as folder:
            return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)

    def open(self, parts: Sequence[str]) -> BinaryIO:
        """Return an ordinary file, open for reading; raises `NotRegularFile` for anything else."""
        if self._fd is None:
            fd = os.open(os.path.join(self._root, *parts), _FILE)  # noqa: PTH118 - as above
        else:
            with self._folder(parts[:-1]) as folder:
                fd = os.open(parts[-1], _FILE, dir_fd=folder)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return os.fdopen(fd, "rb")
        os.close(fd)
        raise NotRegularFile

    @contextmanager
    def scan(self, parts: Sequence[str]) -> Iterator[Iterator[os.DirEntry[str]]]:
        """Yield the entries of a folder; their `stat` works inside only."""
        if self._fd is None:
            with os.scandir(os.path.join(self._root, *parts)) as entries:  # noqa: PTH118 - as above
                yield entries
            return
        with self._folder(parts) as folder:
            listed = os.open(".", _FOLDER, dir_fd=folder)
        try:
            with os.scandir(listed) as entries:
                yield entries
        finally:
            os.close(listed)

    @contextmanager
    def _folder(self, parts: Sequence[str]) -> Iterator[int]:
        assert self._fd is not None  # noqa: S101 - asked for by the callers
        folder = os.open(".", _PASSED, dir_fd=self._fd)
        try:
            for part in parts:
                inner = os.open(part, _PASSED, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)
