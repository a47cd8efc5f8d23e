"""Scenes as data: reads the short TOML format that `WRITING.md` beside this file describes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.reply import Call, Reply
from budget_magic.simulator.scenes.scripted import OVER, Scripted
from budget_magic.simulator.view import View

_SCENE: Final = {"name", "about", "prompt_tokens", "play", "reply", "then"}
_REPLY: Final = {
    "text", "thinking", "thinking_tokens", "output_tokens", "result_tokens", "stop_reason",
    "refusal_category", "calls", "when",
}  # fmt: skip
_CALL: Final = {"tool", "input", "result_tokens"}
_CONDITIONS: Final[dict[str, Callable[[View, Any], bool]]] = {
    "asked": lambda view, value: re.search(value, view.asked, re.IGNORECASE) is not None,
    "result": lambda view, value: any(re.search(value, done.text) for done in view.last),
    "failed": lambda view, value: any(done.is_error for done in view.last) == value,
    "offered": lambda view, value: (view.tool(value) is not None) and view.can_call,
    "used_above": lambda view, value: view.used > value,
    "used_below": lambda view, value: view.used < value,
    "turn": lambda view, value: view.turn == value,
    "replies": lambda view, value: view.replies == value,
    "effort": lambda view, value: view.effort == value,
}
"""What a `when` table may say, each as a test of (view, value)."""


def load_scene(path: str | Path) -> Scripted:
    """The scene of a TOML file.

    Raises
    ------
    ConfigurationError
        The file is not there, is no TOML, or says something the format does not have.
    """
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the scene {path} cannot be read: {error}") from error
    return scene_from_data(data)


def scene_from_data(data: Mapping[str, Any]) -> Scripted:
    """The scene that a mapping in the same format describes.

    >>> scene = scene_from_data({"reply": [{"text": "This is simulated."}]})

    Raises
    ------
    ConfigurationError
        A key is unknown, or a value has the wrong type.
    """
    name = data.get("name", "without a name")
    _known(data, _SCENE, f"scene {name}")
    replies = data.get("reply")
    if not isinstance(replies, list) or not replies:
        raise ConfigurationError(f"scene {name}: it needs at least one [[reply]]")
    play = data.get("play", "order")
    if play not in ("order", "history"):
        raise ConfigurationError(f'scene {name}: play is {play!r}; write "order" or "history"')
    return Scripted(
        [_reply(reply, f"scene {name}, reply {at}") for at, reply in enumerate(replies, 1)],
        by=play,
        then=_reply(data["then"], f"scene {name}, then") if "then" in data else OVER,
        prompt_tokens=_whole(data, "prompt_tokens", f"scene {name}"),
    )


def _reply(data: object, where: str) -> Reply:
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{where}: it must be a table")
    _known(data, _REPLY, where)
    return Reply(
        text=_text(data, "text", where) or "",
        thinking=_text(data, "thinking", where) or "",
        thinking_tokens=_whole(data, "thinking_tokens", where),
        output_tokens=_whole(data, "output_tokens", where),
        result_tokens=_whole(data, "result_tokens", where),
        stop_reason=_text(data, "stop_reason", where),
        refusal_category=_text(data, "refusal_category", where),
        calls=[_call(call, where) for call in data.get("calls", ())],
        when=_when(data["when"], where) if "when" in data else None,
    )


def _call(data: object, where: str) -> Call:
    if not isinstance(data, Mapping) or not isinstance(data.get("tool"), str):
        raise ConfigurationError(f'{where}: a call looks like {{ tool = "read", input = {{}} }}')
    _known(data, _CALL, where)
    return Call(data["tool"], data.get("input", {}), _whole(data, "result_tokens", where))


def _when(data: object, where: str) -> Callable[[View], bool]:
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{where}: when must be a table")
    _known(data, set(_CONDITIONS), f"{where}, when")
    conditions = dict(data)
    return lambda view: all(_CONDITIONS[key](view, value) for key, value in conditions.items())


def _known(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            there = ", ".join(sorted(known))
            raise ConfigurationError(f"{where}: no {key!r} here; there is {there}")


def _text(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{where}: {key} is {value!r}; write a text in quotes")
    return value


def _whole(data: Mapping[str, Any], key: str, where: str) -> int | None:
    value = data.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ConfigurationError(f"{where}: {key} is {value!r}; write a whole number of tokens")
    return value
