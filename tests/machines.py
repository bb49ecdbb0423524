"""How the state machines of hypothesis run against a real database: few, long, and the same each time."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from posegen.database.connection import Database


def run_machine(machine: type[RuleBasedStateMachine], database: Database, *, examples: int, steps: int) -> None:
    """Run a machine that begins each example by emptying `database`, its attribute of this name."""
    machine_here = type(machine.__name__, (machine,), {"database": database})
    run_state_machine_as_test(
        machine_here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            # To make a failing example smaller would take longer than a test may.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
