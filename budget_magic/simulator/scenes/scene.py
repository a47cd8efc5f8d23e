"""Scenes and the replies that they plan, before these are counted, cut and streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from budget_magic.simulator.scenes.context import SceneContext


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a reply."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)
    result_tokens: int | None = None
    """Fixed token count of the result; None counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply of the simulated model: thinking, then text, then calls."""

    text: str = ""
    calls: Sequence[Call] = ()
    thinking: str = ""
    """The summary that is shown of the thinking; left out if the request turns thinking off."""
    thinking_tokens: int | None = None
    """Tokens of the raw thinking; None makes them 1 to 8 times the summary's, by seed."""
    output_tokens: int | None = None
    """Fixed token count of the whole reply; None counts it."""
    result_tokens: int | None = None
    """Fixed token count of the results of all calls together; None counts them."""
    stop_reason: str | None = None
    """None ends with `tool_use` if there are calls, else with `end_turn`."""
    refusal_category: str | None = None
    """`stop_details.category` of a reply whose `stop_reason` is `refusal`."""
    refusal_explanation: str | None = None
    """`stop_details.explanation` of such a reply."""
    when: Callable[[SceneContext], bool] | None = None
    """In a script, play the reply whenever this holds; None plays it in its place."""


class Scene:
    """Decides what the simulated model replies.

    A scene that decides from the context alone gives the same reply to the same conversation, even
    after a retry or in another process.
    """

    prompt_tokens: int | None = None
    """Fixed token count of everything before the first reply; None counts it."""

    def reply(self, context: SceneContext) -> Reply:
        """Return the reply to a request."""
        raise NotImplementedError

    def on_cut(self, reply: Reply) -> None:
        """Do nothing; a script overrides this to repeat a reply that a fault cut."""


class FunctionScene(Scene):
    """A scene that is one function."""

    def __init__(self, function: Callable[[SceneContext], Reply]) -> None:
        self._function = function

    def reply(self, context: SceneContext) -> Reply:
        """Return the function's reply."""
        return self._function(context)
