"""What the simulated model does: the shipped scenes by name; `WRITING.md` is how to add one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.reply import Reply
from budget_magic.simulator.scenes.audit import Audit
from budget_magic.simulator.scenes.data import load_scene, scene_from_data
from budget_magic.simulator.scenes.long_audit import LongAudit
from budget_magic.simulator.scenes.scene import FunctionScene, Scene
from budget_magic.simulator.scenes.scripted import Scripted
from budget_magic.simulator.scenes.small import BudgetTooSmall, Greedy, Runaway
from budget_magic.simulator.view import View

SceneLike = Scene | str | Sequence[Reply] | Callable[[View], Reply]
"""A scene, the name or TOML file of one, a list of replies, or a function of a view."""


def _worked_example() -> Scene:
    return load_scene(Path(__file__).with_name("worked_example.toml"))


SCENES: Final[dict[str, Callable[[], Scene]]] = {
    "audit": Audit,
    "worked_example": _worked_example,
    "runaway": Runaway,
    "budget_too_small": BudgetTooSmall,
    "long_audit": LongAudit,
    "greedy": Greedy,
}
"""The shipped scenes by name."""

__all__ = [
    "SCENES",
    "Audit",
    "BudgetTooSmall",
    "FunctionScene",
    "Greedy",
    "LongAudit",
    "Runaway",
    "Scene",
    "SceneLike",
    "Scripted",
    "find_scene",
    "load_scene",
    "scene_from_data",
]


def find_scene(scene: SceneLike) -> Scene:
    """The scene that is meant.

    Raises
    ------
    ConfigurationError
        There is no scene of that name, or its file cannot be read.
    """
    if isinstance(scene, Scene):
        return scene
    if isinstance(scene, str):
        if scene in SCENES:
            return SCENES[scene]()
        if scene.endswith(".toml"):
            return load_scene(scene)
        known = ", ".join(sorted(SCENES))
        raise ConfigurationError(
            f"there is no scene {scene!r}; shipped scenes: {known}; or give a .toml file"
        )
    if callable(scene):
        return FunctionScene(scene)
    return Scripted(scene)
