"""`{{ expression }}` in a prompt."""

from __future__ import annotations

import asyncio
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
        ("{{ d['key'][0:1] }}{{ d['key'][-2:][0] }}", "[10]10"),
        ("{{ -3 }} {{ 'word' }} {{ [n, (1, 2)] }}", "-3 word [3, (1, 2)]"),
        ("{{ {'a': n} }} {{ {n} }}", "{'a': 3} {3}"),
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
        "double(n)",
        "text.upper()",
        "d['key'][double(0)]",
        "[x for x in d]",
        "lambda: 1",
        "n + 1",
        "not n",
        "-n",
        "~1",
        "n if n else d",
        "n and d",
        "n < 4",
        "n.__class__",
        "d['__init__']",
        "__import__('os')",
        "f'{n}'",
        "(n := 4)",
        "[*d]",
        "{**d}",
        "await n",
        "(yield)",
    ],
)
def test_whatever_would_run_is_refused_with_both_ways_out(expression: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        fill("{{ " + expression + " }}", NAMES)

    assert "assign it to a variable first, or write \\{{ for literal braces" in str(raised.value)


@pytest.mark.parametrize(
    "expression", ["#each items", "a b", "(" * 5_000, "n\0", "/each", "n" + ".n" * 9_000]
)
def test_what_is_not_python_is_an_error_that_names_the_escape(expression: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a Python expression; write") as raised:
        fill("{{ " + expression + " }}", NAMES)

    assert len(str(raised.value)) < 200


def test_looking_runs_nothing_by_name() -> None:
    ran: list[int] = []

    with pytest.raises(ConfigurationError):
        fill("{{ n }} {{ ran.append(1) }}", {**NAMES, "ran": ran})

    assert not ran


@pytest.mark.parametrize("expression", ["missing", "d['no']", "n.no", "print"])
def test_a_failing_expression_says_so_and_that_nothing_was_sent(expression: str) -> None:
    with pytest.raises(ConfigurationError, match=r"failed with .*; nothing was sent"):
        fill("{{ " + expression + " }}", NAMES)


class Leaving:
    """A value that ends the process when it is looked at."""

    def __str__(self) -> str:
        raise SystemExit("no text")

    @property
    def text(self) -> str:
        """Raise too."""
        raise asyncio.CancelledError


class Mute(Exception):  # noqa: N818 - not an error of ours
    """An error whose own text fails."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Failing:
    """A value whose error has no text."""

    @property
    def text(self) -> str:
        """Raise."""
        raise Mute


@pytest.mark.parametrize(
    ("expression", "names", "said"),
    [
        ("one", {"one": Leaving()}, "failed with SystemExit: no text"),
        ("one.text", {"one": Leaving()}, "failed with CancelledError"),
        ("one.text", {"one": Failing()}, "failed with Mute: (its message could not be read)"),
    ],
)
def test_whatever_a_value_raises_is_an_error_of_the_cell(
    expression: str, names: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        fill(f"{{{{ {expression} }}}}", names)
    assert said in str(caught.value)


@pytest.mark.parametrize("pasted", ["{{" * 200_000, "a template {{ and\n" * 20_000])
def test_many_braces_that_are_never_closed_stay_as_they_are(pasted: str) -> None:
    # From each brace to the end, this would take hours.
    assert fill(pasted, {}).text == pasted
    assert fill(rf"{{{{ n }}}} \{{{{ {pasted}", {"n": 3}).text == f"3 {{{{ {pasted}"
