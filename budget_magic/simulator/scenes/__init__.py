"""What the simulated model does: the shipped scenes by name; `WRITING.md` says how to add one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.scenes.audit.agent import Audit
from budget_magic.simulator.scenes.context import SceneContext
from budget_magic.simulator.scenes.scene import FunctionScene, Reply, Scene
from budget_magic.simulator.scenes.scripted import Scripted, load_scene
from budget_magic.simulator.scenes.stress import BudgetTooSmall, Greedy, LongAudit, Runaway

SceneLike = Scene | str | Sequence[Reply] | Callable[[SceneContext], Reply]
"""A scene, the name or TOML file of one, a list of replies, or a function of a context."""

SCENES: Final[dict[str, Callable[[], Scene]]] = {
    "audit": Audit,
    "worked_example": lambda: load_scene(Path(__file__).with_name("worked_example.toml")),
    "runaway": Runaway,
    "budget_too_small": BudgetTooSmall,
    "long_audit": LongAudit,
    "greedy": Greedy,
}
"""The shipped scenes by name."""


def find_scene(scene: SceneLike) -> Scene:
    """Return a scene; raise `ConfigurationError` if there is none with this name or file."""
    if isinstance(scene, Scene):
        return scene
    if isinstance(scene, str):
        if scene in SCENES:
            return SCENES[scene]()
        if scene.endswith(".toml"):
            return load_scene(scene)
        known = ", ".join(sorted(SCENES))
        raise ConfigurationError(
            f"unknown scene {scene!r}; shipped scenes: {known}; or give a .toml file"
        )
    if callable(scene):
        return FunctionScene(scene)
    return Scripted(scene)
