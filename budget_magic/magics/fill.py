"""Replace `{{ expression }}` in a prompt by its value in the notebook, as text.

Pasted text may hold braces, so evaluation has no side effects: calls and operators are refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from budget_magic.errors import ConfigurationError
from budget_magic.meter.cost import worst_case_usd
from budget_magic.meter.estimate import Ratios
from budget_magic.models import PriceTable
from budget_magic.report.numbers import dollars, exact
from budget_magic.tools.text import explained, is_data_frame, markdown_table

_PLACE: Final = re.compile(r"\\\{\{|\{\{(.+?)\}\}", re.DOTALL)
_ALLOWED: Final = (
    ast.Expression, ast.Name, ast.Load, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant,
    ast.List, ast.Set, ast.Tuple, ast.USub,
)  # fmt: skip
LARGE_TOKENS: Final = 20_000
"""Inserting more tokens than this must be confirmed."""
SHOWN_CHARACTERS: Final = 60
"""Characters of an expression that an error quotes; it may be pasted text."""
ESCAPE: Final = r"write \{{ for literal braces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A prompt with its expressions filled in."""

    text: str
    inserted: tuple[str, ...]
    """The expressions, in their order."""
    characters: int
    """Length of what was inserted in their places."""


def fill(prompt: str, namespace: Mapping[str, Any]) -> Filled:
    r"""Return the prompt with each `{{ expression }}` replaced by its value as text.

    Raise `ConfigurationError` if an expression fails, or is more than names, attributes, subscripts
    and literals without a double underscore.

    >>> fill(r"{{ n }} of \{{ x }}", {"n": 3}).text
    '3 of {{ x }}'
    """
    inserted: list[str] = []
    characters = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal characters
        if match[1] is None:
            return "{{"
        inserted.append(match[1].strip())
        value = _value(inserted[-1], namespace)
        characters += len(value)
        return value

    # Behind the last }} there is no place, and a search from each unclosed {{ would be quadratic.
    end = prompt.rfind("}}") + 2 if "}}" in prompt else 0
    text = _PLACE.sub(replace, prompt[:end]) + prompt[end:].replace("\\{{", "{{")
    return Filled(text=text, inserted=tuple(inserted), characters=characters)


def insert_sentence(filled: Filled, ratios: Ratios, prices: PriceTable | None) -> str:
    """Return a sentence on the tokens and cost of a large insertion; empty for a small one."""
    tokens = ratios.tokens("text", filled.characters)
    if tokens <= LARGE_TOKENS:
        return ""
    cost = "at an unknown price"
    if prices is not None:
        usd = worst_case_usd(prices, prompt_tokens=tokens, output_tokens=0, factor=Decimal(1))
        cost = f"about {dollars(usd)} the first time"
    names = " and ".join(map(_place, dict.fromkeys(filled.inserted)))
    verb = "inserts" if len(set(filled.inserted)) == 1 else "insert"
    return f"{names} {verb} \u2248 {exact(tokens)} tokens, {cost}"


def _value(expression: str, namespace: Mapping[str, Any]) -> str:
    place = _place(expression)
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(f"{place} is not a Python expression; {ESCAPE}") from error
    if not all(map(_only_looks, ast.walk(tree))):
        raise ConfigurationError(
            f"{place} is more than names, attributes, subscripts and literals;"
            f" assign it to a variable first, or {ESCAPE}"
        )
    names = {**namespace, "__builtins__": {}}
    try:
        value = eval(compile(tree, "<prompt>", "eval"), names)  # noqa: S307 - only lookups, see `_only_looks`
        return markdown_table(value) if is_data_frame(value) else str(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a value's own `__str__` may raise SystemExit
        raise ConfigurationError(
            f"{place} failed with {explained(error)}; nothing was sent"
        ) from error


def _place(expression: str) -> str:
    line = " ".join(expression.split())
    if len(line) > SHOWN_CHARACTERS:
        line = line[: SHOWN_CHARACTERS - 3] + "..."
    return f"{{{{ {line} }}}}"


def _only_looks(node: ast.AST) -> bool:
    match node:
        case ast.Name():
            return "__" not in node.id
        case ast.Attribute():
            return "__" not in node.attr
        case ast.Constant():
            return not (isinstance(node.value, str) and "__" in node.value)
        case ast.UnaryOp():
            operand = node.operand
            is_number = isinstance(operand, ast.Constant) and isinstance(operand.value, int | float)
            return isinstance(node.op, ast.USub) and is_number
        case ast.Dict():
            return None not in node.keys  # `{**d}` would call what `d` says
        case _:
            return isinstance(node, _ALLOWED)
