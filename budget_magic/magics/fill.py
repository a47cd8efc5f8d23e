"""`{{ expression }}` in a prompt: evaluated in the notebook, inserted as text."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from budget_magic.errors import ConfigurationError
from budget_magic.tools.text import is_data_frame, markdown_table

_PLACE: Final = re.compile(r"\\\{\{|\{\{(.+?)\}\}", re.DOTALL)
_ALLOWED: Final = (
    ast.Expression, ast.Name, ast.Load, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant,
    ast.Call, ast.keyword, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.USub,
)  # fmt: skip
ESCAPE: Final = r"write \{{ for literal braces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A prompt with its expressions filled in."""

    text: str
    inserted: tuple[str, ...]
    """The expressions, in their order."""


def fill(prompt: str, namespace: Mapping[str, Any]) -> Filled:
    r"""The prompt with each `{{ expression }}` replaced by its value as text.

    Parameters
    ----------
    prompt
        As typed; `\{{` is a literal `{{`.
    namespace
        The notebook's variables.

    Raises
    ------
    ConfigurationError
        An expression fails, or is more than names, attributes, subscripts, literals and calls.

    Examples
    --------
    >>> fill(r"{{ n }} of \{{ x }}", {"n": 3}).text
    '3 of {{ x }}'
    """
    inserted: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "{{"
        inserted.append(match[1].strip())
        return _value(match[1].strip(), namespace)

    return Filled(text=_PLACE.sub(replace, prompt), inserted=tuple(inserted))


def _value(expression: str, namespace: Mapping[str, Any]) -> str:
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise ConfigurationError(f"{{{{ {expression} }}}} is not Python; {ESCAPE}") from error
    for node in ast.walk(tree):
        name = getattr(node, "id", None) or getattr(node, "attr", None) or ""
        if not isinstance(node, _ALLOWED) or "__" in name:
            raise ConfigurationError(
                f"{{{{ {expression} }}}}: only names, attributes, subscripts, literals and calls"
                f" are evaluated; put the value into a variable first, or {ESCAPE}"
            )
    code = compile(tree, "<prompt>", "eval")
    try:
        return _as_text(eval(code, dict(namespace)))  # noqa: S307 - the notebook's own names
    except Exception as error:
        raise ConfigurationError(
            f"{{{{ {expression} }}}} failed with {type(error).__name__}: {error}; nothing was sent"
        ) from error


def _as_text(value: object) -> str:
    return markdown_table(value) if is_data_frame(value) else str(value)
