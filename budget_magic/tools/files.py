"""`read`, `glob`, `grep` and `list`: the file tools, all below one root folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import BinaryIO, Final

from budget_magic.errors import ToolRefusal
from budget_magic.tools.context import TimeLimit
from budget_magic.tools.functions import FunctionTool
from budget_magic.tools.path_sandbox import (
    NEVER_SHOWN,
    Found,
    PathSandbox,
    forbidden,
    shown,
    unreadable,
    usable_root,
)
from budget_magic.tools.search import ENTRY_LIMIT, glob_files, grep_files
from budget_magic.tools.tool import Tool

READ_LIMIT_BYTES: Final = 256 * 1024
"""The SDK's `DEFAULT_MAX_FILE_BYTES` (anthropic 2.12)."""
LIST_LIMIT: Final = 500
LIMIT_S: Final = 10.0
BINARY_PROBE_BYTES: Final = 8192
CHUNK_BYTES: Final = 64 * 1024
MEDIA_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".bmp", ".tif", ".tiff")
FILE_TOOL_NAMES: Final = ("glob", "grep", "list", "read")
ONLY_READS: Final = "It only reads files under the root folder, so it does not ask."


def file_tools(root: Path, *, limit_s: float = LIMIT_S) -> list[Tool]:
    """Return the four file tools, confined to a root folder; a call ends after `limit_s` seconds.

    Notes
    -----
    Names and arguments are those of the SDK's agent toolset (`anthropic.lib.tools.agent_toolset`).
    Its tools cannot be used: `grep` and `glob` meet hidden and credential files and may run without
    end outside the main thread; `read` sends images and refuses text that is not UTF-8.
    """
    files = FileTools(usable_root(root), limit_s)
    functions: Sequence[Callable[..., str]] = (files.glob, files.grep, files.list_, files.read)
    return [
        FunctionTool(name, function, reads_only=True, approval_reason=ONLY_READS)
        for name, function in zip(FILE_TOOL_NAMES, functions, strict=True)
    ]


class FileTools:
    """The functions behind the file tools; their docstrings are sent to the model."""

    def __init__(self, root: Path, limit_s: float) -> None:
        self._root, self._limit_s = root, limit_s

    def glob(self, pattern: str, path: str | None = None) -> str:
        """List files whose path matches a glob pattern, newest first. Names that start with a dot, credential files, links, __pycache__, node_modules and virtual environments are left out.

        Args:
            pattern: Relative pattern such as **/*.py or src/*.{js,ts}; ** spans folders, * does not.
            path: Folder to look in, relative to the root folder; the root folder if omitted.
        """  # noqa: E501 - sent to the model as it stands
        return glob_files(self._root, pattern, path, TimeLimit(self._limit_s))

    def grep(self, pattern: str, path: str | None = None) -> str:
        """Search the lines of text files for a regular expression (Python syntax); gives path:line:text. Names that start with a dot, credential files, links, binary files, __pycache__, node_modules and virtual environments are left out.

        Args:
            pattern: Regular expression; put (?i) first to ignore case.
            path: File or folder to search, relative to the root folder; the root folder if omitted.
        """  # noqa: E501 - sent to the model as it stands
        return grep_files(self._root, pattern, path, TimeLimit(self._limit_s))

    def list_(self, path: str | None = None) -> str:
        """List a folder: its subfolders, then its files with their sizes. Names that start with a dot and credential files are left out.

        Args:
            path: Folder to list, relative to the root folder; the root folder if omitted.
        """  # noqa: E501 - sent to the model as it stands
        limit = TimeLimit(self._limit_s)
        with PathSandbox(self._root) as sandbox:
            folder = sandbox.find(path or ".")
            if not folder.is_folder:
                raise ToolRefusal(f"{path} is a file; use `read` on it")
            try:
                with sandbox.scan(folder.parts) as scan:
                    entries = sorted(islice(scan, ENTRY_LIMIT), key=lambda entry: entry.name)
                    in_time = takewhile(lambda _: not limit.is_over, entries)
                    lines = [_listed(sandbox, folder, entry) for entry in in_time]
            except OSError as error:
                raise unreadable(shown(folder.parts), error) from error
        # Folders, which end in a slash, come first.
        seen = sorted(filter(None, lines), key=lambda line: not line.endswith("/"))
        if not seen:
            return f"[nothing to show; {NEVER_SHOWN}]"
        if len(seen) > LIST_LIMIT:
            count = f"{len(seen):,}" if len(entries) < ENTRY_LIMIT else f"more than {ENTRY_LIMIT:,}"
            note = f"[the first {LIST_LIMIT:,} of {count} entries; use glob for the others]"
            seen = [*seen[:LIST_LIMIT], note]
        if len(lines) < len(entries):
            seen.append(f"[stopped after {limit.limit_s:g} s, so entries are missing]")
        return "\n".join(seen)

    def read(self, file_path: str, view_range: list[int] | None = None) -> str:
        """Read a text file under the root folder. Names that start with a dot, credential files, images, PDFs and other binary files are refused. Long results are cut in the middle: then read a range of lines.

        Args:
            file_path: Path of the file, relative to the root folder.
            view_range: First and last line, counted from 1, both included; a last line of 0 or less means to the end of the file.
        """  # noqa: E501 - sent to the model as it stands
        with PathSandbox(self._root) as sandbox:
            found = sandbox.find(file_path)
            name = shown(found.parts)
            if name.casefold().endswith(MEDIA_ENDINGS):
                raise ToolRefusal(f"{name}: images and PDFs are not read yet")
            if found.is_folder:
                raise ToolRefusal(f"{name} is a folder; use `list` on it")
            if not found.is_file:
                raise ToolRefusal(f"{name} is not an ordinary file")
            try:
                file = sandbox.open(found.parts)
            except OSError as error:
                raise unreadable(name, error) from error
        with file:
            probe = file.read(BINARY_PROBE_BYTES)
            if b"\0" in probe or probe.startswith((b"%PDF-", b"\x89PNG")):
                raise ToolRefusal(f"{name} is a binary file; only text is read")
            file.seek(0)
            data = _lines(file, name, view_range, TimeLimit(self._limit_s))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            note = "[not UTF-8: read as Latin-1, so letters may be wrong]"
            text = f"{data.decode('latin-1')}\n{note}"
        return text or "[the file is empty]"


def _lines(file: BinaryIO, name: str, view_range: list[int] | None, limit: TimeLimit) -> bytes:
    """Return some lines of a file, or all, in bounded memory whatever its size."""
    first, last = 1, 0
    if view_range:
        if len(view_range) != 2:  # noqa: PLR2004 - first and last
            raise ToolRefusal("view_range has two numbers: the first line and the last")
        first, last = max(1, view_range[0]), view_range[1]
    if 0 < last < first:
        raise ToolRefusal(f"view_range ends at line {last:,}, before it begins at {first:,}")
    collected = bytearray()
    number = 1
    while (last <= 0 or number <= last) and (part := file.readline(CHUNK_BYTES)):
        if number >= first:
            collected += part
            if len(collected) > READ_LIMIT_BYTES:
                size = os.fstat(file.fileno()).st_size
                raise ToolRefusal(
                    f"{name} has {size:,} bytes, and at most {READ_LIMIT_BYTES:,} are read at "
                    "once; read fewer lines, such as view_range [1, 500]"
                )
        number += part.endswith(b"\n")
        if limit.is_over:
            raise ToolRefusal(
                f"stopped after {limit.limit_s:g} s at line {number:,} of {name}; "
                "read lines that are nearer to its beginning"
            )
    if view_range and not collected:
        raise ToolRefusal(f"{name} ends before line {first:,}")
    return bytes(collected.removesuffix(b"\n") if view_range else collected)


def _listed(sandbox: PathSandbox, folder: Found, entry: os.DirEntry[str]) -> str | None:
    """Return the line of an entry, or of what its link leads to; None for what is not shown."""
    if forbidden(entry.name):
        return None
    parts = (*folder.parts, entry.name)
    try:
        if entry.is_symlink():
            found = sandbox.find("/".join(parts))
        else:
            found = Found(parts=parts, stat=entry.stat(follow_symlinks=False))
    except (ToolRefusal, OSError):
        return None
    if found.is_folder:
        return f"{shown(parts)}/"
    size = f"{found.stat.st_size:,} bytes" if found.is_file else "not an ordinary file"
    return f"{shown(parts)}  {size}"
