"""Scenes: what the simulated model does. The shipped ones, by name, and how to write one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.reply import Reply
from budget_magic.simulator.scenes.audit import Audit
from budget_magic.simulator.scenes.scene import FunctionScene, Scene
from budget_magic.simulator.scenes.scripted import Scripted
from budget_magic.simulator.view import View

SCENES: Final[dict[str, Callable[[], Scene]]] = {
    "audit": Audit,
}
"""The shipped scenes by name."""

__all__ = ["SCENES", "Audit", "FunctionScene", "Scene", "Scripted", "find_scene"]


def find_scene(scene: Scene | str | Sequence[Reply] | Callable[[View], Reply]) -> Scene:
    """The scene that is meant: itself, a shipped one by name, a list of replies, or a function.

    Raises
    ------
    ConfigurationError
        There is no scene of that name.
    """
    if isinstance(scene, Scene):
        return scene
    if isinstance(scene, str):
        if scene not in SCENES:
            known = ", ".join(sorted(SCENES))
            raise ConfigurationError(f"there is no scene {scene!r}; shipped scenes: {known}")
        return SCENES[scene]()
    if callable(scene):
        return FunctionScene(scene)
    return Scripted(scene)
