"""Small checks of JSON values that say no in the words of the real API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budget_magic.simulator.refusal import Refused

TTLS = ("5m", "1h")


def an_object(value: object, where: str) -> dict[str, Any]:
    """The value, if it is a JSON object."""
    if not isinstance(value, dict):
        raise Refused(f"{where}: Input should be an object")
    return value


def a_list(value: object, where: str) -> list[Any]:
    """The value, if it is a JSON array."""
    if not isinstance(value, list):
        raise Refused(f"{where}: Input should be a valid array")
    return value


def a_text(value: object, where: str) -> str:
    """The value, if it is a string."""
    if not isinstance(value, str):
        raise Refused(f"{where}: Input should be a valid string")
    return value


def a_number(value: object, where: str, *, at_least: int) -> int:
    """The value, if it is a whole number and large enough."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"{where}: Input should be a valid integer")
    if value < at_least:
        raise Refused(f"{where}: Input should be greater than or equal to {at_least}")
    return value


def one_of(value: object, where: str, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        *most, last = [f"'{choice}'" for choice in choices]
        wanted = f"{', '.join(most)} or {last}" if most else last
        raise Refused(f"{where}: Input should be {wanted}")
    return value


def required(body: Mapping[str, Any], key: str, where: str = "") -> object:
    """The field of that name."""
    if key not in body:
        raise Refused(f"{where}{key}: Field required")
    return body[key]


def no_extras(body: Mapping[str, Any], known: frozenset[str], where: str = "") -> None:
    """Refuse fields that nobody knows."""
    for key in body:
        if key not in known:
            raise Refused(f"{where}{key}: Extra inputs are not permitted")


def cache_ttl(block: Mapping[str, Any], where: str) -> str | None:
    """The time to live of a block's `cache_control`; None where it has none."""
    value = block.get("cache_control")
    if value is None:
        return None
    control = an_object(value, f"{where}.cache_control")
    one_of(control.get("type"), f"{where}.cache_control.type", ("ephemeral",))
    return one_of(control.get("ttl", "5m"), f"{where}.cache_control.ttl", TTLS)
