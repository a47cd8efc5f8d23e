"""The default scene."""

from __future__ import annotations

from budget_magic.simulator.reply import Reply
from budget_magic.simulator.scenes.scene import Scene
from budget_magic.simulator.view import View


class Audit(Scene):
    """An agent that works with the tools it is offered."""

    def reply(self, view: View) -> Reply:
        """The next step."""
        return Reply(text="Simulated: nothing yet.")
