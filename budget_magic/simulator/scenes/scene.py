"""What a scene is: something that looks at a request and plans the reply."""

from __future__ import annotations

from collections.abc import Callable

from budget_magic.simulator.reply import Reply
from budget_magic.simulator.view import View


class Scene:
    """The part that the simulated model plays.

    A scene that decides from the view alone gives the same reply to the same conversation, also
    after a retry or in another process.
    """

    prompt_tokens: int | None = None
    """What everything before the first reply counts; None counts it honestly."""

    def reply(self, view: View) -> Reply:
        """What the model answers."""
        raise NotImplementedError

    def unplayed(self, view: View, reply: Reply) -> None:
        """Told when a fault cut a reply; a script then plays it again."""


class FunctionScene(Scene):
    """A scene that is one function.

    Parameters
    ----------
    function
        From a view to a reply.
    prompt_tokens
        What everything before the first reply counts; None counts it honestly.
    """

    def __init__(
        self, function: Callable[[View], Reply], *, prompt_tokens: int | None = None
    ) -> None:
        self._function = function
        self.prompt_tokens = prompt_tokens

    def reply(self, view: View) -> Reply:
        """What the function says."""
        return self._function(view)
