"""`{{ expression }}` in a prompt."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from budget_magic.errors import ConfigurationError
from budget_magic.magics.fill import fill

NAMES: dict[str, Any] = {
    "n": 3,
    "d": {"key": [10, 20]},
    "text": "{{ n }}",
    "double": lambda x: 2 * x,
}


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        ("{{ n }} rows", "3 rows"),
        ("{{n}}{{ n }}", "33"),
        ("{{ d['key'][-1] }}", "20"),
        ("{{ double(n) }} and {{ double(x=n) }}", "6 and 6"),
        ("{{ text.upper() }}", "{{ N }}"),
        (r"\{{ n }} stays", "{{ n }} stays"),
        ("{ n } and {n}", "{ n } and {n}"),
        ("no places", "no places"),
    ],
)
def test_values_are_inserted_as_text(prompt: str, filled: str) -> None:
    assert fill(prompt, NAMES).text == filled


def test_inserted_text_is_not_scanned_again_and_the_expressions_are_listed() -> None:
    result = fill("{{ text }} {{ n }}", NAMES)
    assert result.text == "{{ n }} 3"
    assert result.inserted == ("text", "n")


def test_a_data_frame_becomes_a_table_and_a_cut_is_said() -> None:
    frame = pd.DataFrame({"a": range(60)})
    text = fill("{{ frame }}", {"frame": frame}).text
    assert text.count("\n| ") + text.startswith("| ") >= 50
    assert "| 49 |" in text
    assert "| 50 |" not in text
    assert "60" in text


@pytest.mark.parametrize(
    "expression",
    [
        "[x for x in d]",
        "lambda: 1",
        "n + 1",
        "n.__class__",
        "__import__('os')",
        "#each items",
        "f'{n}'",
        "(n := 4)",
    ],
)
def test_anything_else_is_an_error_that_names_the_escape(expression: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write \\\{\{ for literal braces"):
        fill("{{ " + expression + " }}", NAMES)


@pytest.mark.parametrize("expression", ["missing", "d['no']", "n.no", "double()"])
def test_a_failing_expression_says_so_and_that_nothing_was_sent(expression: str) -> None:
    with pytest.raises(ConfigurationError, match=r"failed with .*; nothing was sent"):
        fill("{{ " + expression + " }}", NAMES)
