"""Scripted scenes: lists of replies, from Python or from the TOML format of `WRITING.md`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.scenes.context import SceneContext
from budget_magic.simulator.scenes.scene import Call, Reply, Scene
from budget_magic.simulator.scenes.toolbox import call_any_tool

_OVER: Final = Reply(text="This is the simulator: the script is over.")


class Scripted(Scene):
    """Plays replies in order.

    A reply with a condition (`when`) is played ahead of the others whenever it holds, as often as
    it holds. A call of `*` calls any offered tool, a call of `a|b` one of these that is offered;
    required inputs that the call leaves out are taken from the prompt or made up.

    Parameters
    ----------
    replies
        The script.
    by
        `order` plays the next reply at each request, and repeats a reply that a fault cut.
        `history` plays the reply that belongs to the number of replies in the conversation, so that
        several conversations can run at once.
    then
        The reply to every request after the script.
    prompt_tokens
        Fixed token count of everything before the first reply; None counts it.
    """

    def __init__(
        self,
        replies: Sequence[Reply],
        *,
        by: Literal["order", "history"] = "order",
        then: Reply = _OVER,
        prompt_tokens: int | None = None,
    ) -> None:
        self._script = [reply for reply in replies if reply.when is None]
        self._conditional = [reply for reply in replies if reply.when is not None]
        self._by = by
        self._then = then
        self._next = 0
        self._repeats: list[Reply] = []
        self.prompt_tokens = prompt_tokens

    def reply(self, context: SceneContext) -> Reply:
        """Return the next reply of the script."""
        reply = self._next_reply(context)
        calls = [_fill(call, context, place) for place, call in enumerate(reply.calls)]
        return replace(reply, calls=calls)

    def on_cut(self, reply: Reply) -> None:
        """Repeat the reply at the next request."""
        if self._by == "order" and reply.when is None:
            self._repeats.append(reply)

    def _next_reply(self, context: SceneContext) -> Reply:
        for reply in self._conditional:
            if reply.when is not None and reply.when(context):
                return reply
        if self._repeats:
            return self._repeats.pop(0)
        place = context.replies if self._by == "history" else self._next
        self._next += 1
        return self._script[place] if place < len(self._script) else self._then


def _fill(call: Call, context: SceneContext, place: int) -> Call:
    """Return the call with its tool chosen, if it leaves that open."""
    if call.name != "*" and "|" not in call.name:
        return call
    filled = call_any_tool(context, context.replies + place, call.name)
    return replace(call, name=filled.name, input={**filled.input, **call.input})


def load_scene(path: str | Path) -> Scripted:
    """Return the scene of a TOML file; raise `ConfigurationError` if it cannot be read."""
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read scene {path}: {error}") from error
    return scene_from_data(data)


def scene_from_data(data: Mapping[str, Any]) -> Scripted:
    """Return the scene that data in the same format describes.

    >>> scene = scene_from_data({"reply": [{"text": "This is simulated."}]})

    Raises
    ------
    ConfigurationError
        A key is unknown or missing, or a value has the wrong type.
    """
    try:
        scene = _Scene.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        name = data.get("name", "without a name")
        raise ConfigurationError(f"scene {name}: {where}: {first['msg']}") from error
    return Scripted(
        [reply.to_reply() for reply in scene.reply],
        by=scene.play,
        then=scene.then.to_reply() if scene.then else _OVER,
        prompt_tokens=scene.prompt_tokens,
    )


class _Table(BaseModel, strict=True, extra="forbid"):
    pass


class _When(_Table):
    asked: str | None = None
    result: str | None = None
    failed: bool | None = None
    offered: str | None = None
    used_above: float | None = None
    used_below: float | None = None
    turn: int | None = None
    replies: int | None = None
    effort: str | None = None

    def __call__(self, context: SceneContext) -> bool:
        calls = context.last_calls
        return (
            (self.asked is None or re.search(self.asked, context.asked, re.IGNORECASE) is not None)
            and (self.result is None or any(re.search(self.result, call.text) for call in calls))
            and self.failed in (None, any(call.is_error for call in calls))
            and (self.offered is None or (context.can_call and bool(context.tool(self.offered))))
            and (self.used_above is None or context.used > self.used_above)
            and (self.used_below is None or context.used < self.used_below)
            and self.turn in (None, context.turn)
            and self.replies in (None, context.replies)
            and self.effort in (None, context.effort)
        )


class _Call(_Table):
    tool: str
    input: dict[str, Any] = {}
    result_tokens: NonNegativeInt | None = None


class _Reply(_Table):
    text: str = ""
    thinking: str = ""
    thinking_tokens: NonNegativeInt | None = None
    output_tokens: NonNegativeInt | None = None
    result_tokens: NonNegativeInt | None = None
    stop_reason: str | None = None
    refusal_category: str | None = None
    refusal_explanation: str | None = None
    calls: list[_Call] = []
    when: _When | None = None

    def to_reply(self) -> Reply:
        calls = [Call(call.tool, call.input, call.result_tokens) for call in self.calls]
        return Reply(**{**dict(self), "calls": calls})


class _Scene(_Table):
    name: str = ""
    about: str = ""
    prompt_tokens: NonNegativeInt | None = None
    play: Literal["order", "history"] = "order"
    reply: list[_Reply] = Field(min_length=1)
    then: _Reply | None = None
