"""The Messages API, simulated locally: rules, tokens, countdown, cache and bill, scenes, faults.

`budget_magic.simulator.server` serves it over HTTP; it is not imported here, as it needs tornado.
"""

from budget_magic.simulator.bill import Bill, BilledRequest
from budget_magic.simulator.countdown import Carry
from budget_magic.simulator.faults import (
    Fault,
    drop,
    error_event,
    hold,
    overloaded,
    rate_limit,
    refused_connection,
    silence,
    slow,
    status_error,
    truncate,
)
from budget_magic.simulator.record import RequestRecord
from budget_magic.simulator.scenes import SCENES
from budget_magic.simulator.scenes.audit.agent import Audit
from budget_magic.simulator.scenes.context import CompletedCall, OfferedTool, SceneContext
from budget_magic.simulator.scenes.scene import Call, Reply, Scene
from budget_magic.simulator.scenes.scripted import Scripted, load_scene, scene_from_data
from budget_magic.simulator.scenes.stress import BudgetTooSmall, Greedy, LongAudit, Runaway
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.simulator import Simulator

__all__ = [
    "SCENES",
    "Audit",
    "Bill",
    "BilledRequest",
    "BudgetTooSmall",
    "Call",
    "Carry",
    "CompletedCall",
    "Fault",
    "Greedy",
    "LongAudit",
    "OfferedTool",
    "Reply",
    "RequestRecord",
    "Runaway",
    "Scene",
    "SceneContext",
    "Scripted",
    "Signal",
    "Simulator",
    "drop",
    "error_event",
    "hold",
    "load_scene",
    "overloaded",
    "rate_limit",
    "refused_connection",
    "scene_from_data",
    "silence",
    "slow",
    "status_error",
    "truncate",
]
