"""Convert values and errors to the text of a result, and shorten it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from budget_magic.errors import ToolRefusal

TABLE_ROWS: Final = 50
SHOWN_INPUT_CHARS: Final = 80


def as_text(value: object) -> str:
    """Return the result of a function as text; raise `ToolRefusal` for binary data.

    >>> as_text({"rows": 3}), as_text(None)
    ('{"rows": 3}', 'done, returned nothing')
    """
    if isinstance(value, str):
        return str(value) or "done, returned an empty text"
    if value is None:
        return "done, returned nothing"
    if isinstance(value, bytes | bytearray | memoryview):
        size = memoryview(value).nbytes
        raise ToolRefusal(
            f"the function returned {size:,} bytes of binary data; return text, or a `ToolResult`"
        )
    if is_data_frame(value):
        return markdown_table(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def is_data_frame(value: object) -> bool:
    """Return whether a value is a pandas DataFrame."""
    return _is_instance(value, "pandas", "DataFrame")


def _is_instance(value: object, package: str, name: str) -> bool:
    """Return whether a value is of a package's class, without importing the package."""
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0] == package
        for kind in type(value).__mro__
    )


def markdown_table(frame: Any) -> str:
    """Return a DataFrame's first rows as a Markdown table, with a last line if it was cut."""
    head = frame.head(TABLE_ROWS)
    numbered = type(head.index).__name__ == "RangeIndex"
    header = [*([] if numbered else [head.index.name or ""]), *head.columns]
    rows = [header, ["---"] * len(header), *head.itertuples(index=not numbered, name=None)]
    lines = [_table_row(row) for row in rows]
    if len(frame) > TABLE_ROWS:
        lines += ["", f"(the first {TABLE_ROWS:,} of {len(frame):,} rows)"]
    elif not len(frame):
        lines += ["", "(no rows)"]
    return "\n".join(lines)


def _table_row(cells: Any) -> str:
    escaped = (" ".join(str(cell).replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def capped(text: str, cap_bytes: int) -> tuple[str, int]:
    """Return the text in at most `cap_bytes` UTF-8 bytes, and how many bytes were left out.

    Head and tail are kept, each in whole lines if that drops at most half of it. A line between
    them says how much is missing.

    >>> capped("short", 100)
    ('short', 0)
    """
    data = text.encode()
    if len(data) <= cap_bytes:
        return text, 0
    room = max(0, cap_bytes - len(_left_out(len(data))))
    size = room // 2
    head, tail = data[: room - size], data[len(data) - size :]
    border = head.rfind(b"\n")
    if border >= len(head) // 2:
        head = head[:border]
    border = tail.find(b"\n")
    if 0 <= border < size // 2:
        tail = tail[border + 1 :]
    # A character that was cut in two is left out.
    start, end = head.decode(errors="ignore"), tail.decode(errors="ignore")
    missing = len(data) - len(start.encode()) - len(end.encode())
    joined = start + _left_out(missing) + end
    # The cap may be smaller than the inserted line.
    return joined.encode()[:cap_bytes].decode(errors="ignore"), missing


def _left_out(count: int) -> str:
    return f"\n[{count:,} bytes left out here]\n"


def explained(error: BaseException, redact: Callable[[str], str] = str) -> str:
    """Return an error as text for the model: "ValueError: message".

    For a `ToolRefusal` it is the message alone; invalid arguments are listed one by one. `redact`
    is applied to each text before it is shortened. Never raises, even if `__str__` does.
    """
    kind = type(error).__name__
    cause: Any = error.__cause__
    try:
        message = str(error)
        if isinstance(error, ToolRefusal) or _is_instance(error, "anthropic", "ToolError"):
            return message or "the call was refused"
        if message.startswith("Invalid arguments for ") and hasattr(cause, "errors"):
            faults = cause.errors(include_url=False, include_context=False)
            return f"{message}: {'; '.join(_argument_fault(fault, redact) for fault in faults)}"
    except BaseException:  # noqa: BLE001 - the error's `__str__` is foreign code
        return f"{kind}: (its message could not be read)"
    return f"{kind}: {message}" if message else kind


def _argument_fault(fault: dict[str, Any], redact: Callable[[str], str]) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "arguments"
    text = f"{where}: {fault['msg']}"
    if fault["type"] in {"missing_argument", "missing", "unexpected_keyword_argument"}:
        return text
    got = redact(repr(fault["input"]))
    dots = "..." if len(got) > SHOWN_INPUT_CHARS else ""
    return f"{text} (got {got[:SHOWN_INPUT_CHARS]}{dots})"
