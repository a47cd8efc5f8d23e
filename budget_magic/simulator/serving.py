"""The two doors to the standalone server; importing this module does not import tornado."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from budget_magic.simulator.scenes import SceneLike
from budget_magic.simulator.simulator import Simulator

if TYPE_CHECKING:
    from budget_magic.simulator.server import SimulatorServer


def serve(scene: SceneLike = "audit", *, port: int = 0, **options: Any) -> SimulatorServer:
    """A standalone server, not yet started: `with serve() as server: server.url`.

    Parameters
    ----------
    scene
        What the model does.
    port
        0 takes a free one.
    options
        Those of `Simulator`.
    """
    from budget_magic.simulator.server import SimulatorServer  # noqa: PLC0415 - tornado is only needed here

    return SimulatorServer(Simulator(scene, **options), port)


def run_server(port: int = 0, scene: str = "audit", seed: int = 0) -> None:
    """Serve until Ctrl-C, after one line that says where and how to use it.

    Replies are paced like those of a fast model, so that a stream looks like one.
    """
    server = serve(scene, port=port, seed=seed, pace_tokens_per_s=400, keeps_bodies=False)
    print(  # noqa: T201 - this is what the command shows
        f"simulated Messages API at {server.url} (scene {scene}, seed {seed}); use it with"
        f" ANTHROPIC_BASE_URL={server.url} ANTHROPIC_API_KEY=anything; Ctrl-C stops it",
        flush=True,
    )
    server.run()
