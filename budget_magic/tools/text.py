"""Values, errors and long texts, as the text of a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from budget_magic.errors import ToolRefusal

TABLE_ROWS: Final = 50


def as_text(value: object) -> str:
    """Return the text that stands for the value a function returned.

    Raises
    ------
    ToolRefusal
        The value is binary: images and PDFs are returned as blocks of a `ToolResult`.

    Examples
    --------
    >>> as_text({"rows": 3})
    '{"rows": 3}'
    >>> as_text(None)
    'done, returned nothing'
    """
    if isinstance(value, str):
        return str(value) or "done, returned an empty text"
    if value is None:
        return "done, returned nothing"
    if isinstance(value, (bytes, bytearray, memoryview)):
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
    """Return whether a value is a pandas DataFrame, told without importing pandas."""
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"
        for kind in type(value).__mro__
    )


def markdown_table(frame: Any, rows: int = TABLE_ROWS) -> str:
    """Return a DataFrame's first rows as a Markdown table, with a last line if it was cut."""
    head = frame.head(rows)
    numbered = type(head.index).__name__ == "RangeIndex"
    columns = [str(column) for column in head.columns]
    header = columns if numbered else [str(head.index.name or ""), *columns]
    lines = [_table_row(header), _table_row(["---"] * len(header))]
    lines.extend(
        _table_row([str(cell) for cell in row])
        for row in head.itertuples(index=not numbered, name=None)
    )
    if len(frame) > rows:
        lines += ["", f"(the first {rows:,} of {len(frame):,} rows)"]
    elif not len(frame):
        lines += ["", "(no rows)"]
    return "\n".join(lines)


def _table_row(cells: list[str]) -> str:
    escaped = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def without_lone_surrogates(text: str) -> str:
    """Return the text with each half of a surrogate pair replaced, since UTF-8 cannot carry one.

    Examples
    --------
    >>> without_lone_surrogates("a" + chr(0xD800) + "b") == "a" + chr(0xFFFD) + "b"
    True
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def capped(text: str, cap_bytes: int) -> tuple[str, int]:
    """Return the text in at most `cap_bytes` UTF-8 bytes, and how many bytes were left out.

    Head and tail are kept, as whole lines where that costs at most half of them; a line between
    them says how much is missing.

    Examples
    --------
    >>> capped("short", 100)
    ('short', 0)
    """
    data = text.encode()
    if len(data) <= cap_bytes:
        return text, 0
    room = max(0, cap_bytes - len(_left_out(len(data)).encode()))
    head = _head(data, room - room // 2)
    tail = _tail(data, room // 2)
    missing = len(data) - len(head) - len(tail)
    joined = head.decode() + _left_out(missing) + tail.decode()
    # A cap smaller than the line itself is kept all the same.
    return joined.encode()[:cap_bytes].decode(errors="ignore"), missing


def _left_out(count: int) -> str:
    return f"\n[{count:,} bytes left out here]\n"


def _head(data: bytes, size: int) -> bytes:
    part = _whole_characters(data[:size])
    border = part.rfind(b"\n")
    return part[:border] if border >= size // 2 and border > 0 else part


def _tail(data: bytes, size: int) -> bytes:
    part = _whole_characters(data[len(data) - size :])
    border = part.find(b"\n")
    return part[border + 1 :] if 0 <= border < size // 2 else part


def _whole_characters(data: bytes) -> bytes:
    return data.decode(errors="ignore").encode()


def explained(error: BaseException, redact: Callable[[str], str] = str) -> str:
    """Return what went wrong, for the model: "ValueError: message".

    A `ToolRefusal` gives its message alone; arguments that do not fit are named one by one.
    `redact` is given each text before it is shortened. Whatever the error's `__str__` raises stays
    here.
    """
    try:
        return _explained(error, redact)
    except BaseException:  # noqa: BLE001 - the error's `__str__` is a stranger's code
        return f"{type(error).__name__}: (its message could not be read)"


def _explained(error: BaseException, redact: Callable[[str], str]) -> str:
    message = str(error)
    if isinstance(error, ToolRefusal) or _is_tool_error(error):
        return message or "the call was refused"
    cause = error.__cause__
    if message.startswith("Invalid arguments for ") and hasattr(cause, "errors"):
        return f"{message}: {'; '.join(_argument_fault(fault, redact) for fault in _faults(cause))}"
    kind = type(error).__name__
    return f"{kind}: {message}" if message else kind


def _is_tool_error(error: BaseException) -> bool:
    kind = type(error)
    return kind.__name__ == "ToolError" and kind.__module__.partition(".")[0] == "anthropic"


def _faults(cause: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cause.errors(include_url=False, include_context=False)
    return found


def _argument_fault(fault: dict[str, Any], redact: Callable[[str], str]) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "arguments"
    text = f"{where}: {fault['msg']}"
    if fault["type"] in {"missing_argument", "missing", "unexpected_keyword_argument"}:
        return text
    got = redact(repr(fault["input"]))
    limit = 80
    return f"{text} (got {got if len(got) <= limit else got[:limit] + '...'})"
