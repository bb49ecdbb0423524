"""Every kind of fault by its name in the scorecard: what happens to a crew at work, until the cause is gone again.

Whether anybody was hurt is not looked at here, but in `evidence.py` when everything has come to rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.fault_proxy_http import Fault
from tests.faults import losses, outages
from tests.faults.crew import Crew


class Needs(Enum):
    """What a fault can only be injected into."""

    NOTHING = "nothing"
    DISK = "a store on a disk of its own"
    BUCKET = "a store in a bucket"
    FAR_END = "a hosted backend"


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    inject: Callable[[Crew], None]
    needs: Needs = Needs.NOTHING


KINDS: dict[str, Kind] = {
    "kill -9 of a run": Kind(losses.kill_a_run),
    "kill at a commit point": Kind(losses.kill_at_a_commit_point),
    "kill while a pose is given up": Kind(losses.kill_while_giving_up_a_pose),
    "kill while work is given back": Kind(losses.kill_while_giving_back),
    "SIGSTOP of a run past its lease": Kind(losses.stop_a_run),
    "machine suspended past its lease": Kind(losses.suspend_a_machine),
    "SIGTERM of a run": Kind(losses.ask_a_run_to_stop),
    "wrong clock, then kill -9": Kind(losses.set_a_clock_wrong),
    "kill -9 of the sensor": Kind(losses.kill_the_sensor),
    "SIGSTOP of the sensor": Kind(losses.stop_the_sensor),
    "connections reset": Kind(outages.reset_connections),
    "connections refused": Kind(outages.refuse_connections),
    "blackhole past the lease": Kind(outages.blackhole),
    "COMMIT lost": Kind(outages.lose_a_commit),
    "answer to a COMMIT lost": Kind(outages.lose_the_answer_to_a_commit),
    "PostgreSQL: immediate shutdown": Kind(outages.shut_postgres_down),
    "PostgreSQL: kill -9": Kind(outages.kill_postgres),
    "disk full": Kind(outages.fill_the_disk, Needs.DISK),
    "disk read-only": Kind(outages.make_the_disk_read_only, Needs.DISK),
    "disk turns a bit over": Kind(outages.turn_a_bit_over, Needs.DISK),
    **{f"S3: {fault.value}": Kind(outages.the_bucket_breaks(fault), Needs.BUCKET) for fault in Fault},
    "S3: away": Kind(outages.the_bucket_is_away, Needs.BUCKET),
    "backend: 429": Kind(outages.the_service_answers("429")),
    "backend: 500": Kind(outages.the_service_answers("500")),
    "backend: hangs": Kind(outages.the_service_answers("hang")),
    "backend: truncated image": Kind(outages.the_service_answers("truncated")),
    "backend: image of the wrong size": Kind(outages.the_service_answers("wrong size")),
    "backend: image of another request": Kind(outages.the_service_answers("another picture")),
    "backend: connection cut": Kind(outages.the_service_answers("reset")),
    **{
        f"call: {what}": Kind(outages.the_far_end_answers(kind), Needs.FAR_END)
        for kind, what in (
            ("lost", "response lost"),
            ("slow", "response slow"),
            ("cut", "response cut"),
            ("reset", "connection reset"),
            ("502", "502"),
            ("429", "429"),
        )
    },
    "call: kill at a step": Kind(losses.kill_at_a_step_of_a_call, Needs.FAR_END),
    "call: SIGSTOP at a step past the lease": Kind(losses.stop_at_a_step_of_a_call, Needs.FAR_END),
    "customer cancels at work": Kind(outages.cancel_at_work),
    "submission sent twice": Kind(outages.submit_twice),
}
