"""THE MESSAGES API, PLAYED LOCALLY: rules, tokens, countdown, cache and bill, scenes, faults."""

from budget_magic.simulator.bill import Bill, BilledRequest
from budget_magic.simulator.countdown import Carry
from budget_magic.simulator.exchange import RequestRecord
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
from budget_magic.simulator.reply import Call, Reply
from budget_magic.simulator.scenes import (
    SCENES,
    Audit,
    BudgetTooSmall,
    FunctionScene,
    Greedy,
    LongAudit,
    Runaway,
    Scene,
    Scripted,
    load_scene,
    scene_from_data,
)
from budget_magic.simulator.serving import run_server, serve
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.simulator import Simulator
from budget_magic.simulator.view import Done, Offered, View

__all__ = [
    "SCENES",
    "Audit",
    "Bill",
    "BilledRequest",
    "BudgetTooSmall",
    "Call",
    "Carry",
    "Done",
    "Fault",
    "FunctionScene",
    "Greedy",
    "LongAudit",
    "Offered",
    "Reply",
    "RequestRecord",
    "Runaway",
    "Scene",
    "Scripted",
    "Signal",
    "Simulator",
    "View",
    "drop",
    "error_event",
    "hold",
    "load_scene",
    "overloaded",
    "rate_limit",
    "refused_connection",
    "run_server",
    "scene_from_data",
    "serve",
    "silence",
    "slow",
    "status_error",
    "truncate",
]
