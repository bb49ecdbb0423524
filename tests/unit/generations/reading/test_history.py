"""Claims and stretches, put together from the events of a generation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from posegen.generations.reading.history import claims_of, stretches_of
from posegen.generations.rows.events import Event

START = datetime(2026, 11, 21, 8, tzinfo=UTC)


def happened(*told: tuple[str, dict[str, object]]) -> list[Event]:
    """Events, one second after the other."""
    return [
        Event(sequence, kind, detail, START + timedelta(seconds=sequence))
        for sequence, (kind, detail) in enumerate(told)
    ]


def test_each_claim_has_its_run_its_poses_and_its_end() -> None:
    first, second = claims_of(
        happened(
            ("submitted", {}),
            ("queued", {}),
            ("dispatched", {"dispatch": 1}),
            ("started", {"run": "a", "token": 1, "dispatch": 1}),
            ("pose_completed", {}),
            ("requeued", {"reason": "its worker has died"}),
            ("dispatched", {"dispatch": 2}),
            ("started", {"run": "b", "token": 3, "dispatch": 2}),
            ("pose_completed", {}),
            ("pose_completed", {}),
            ("partial", {"error_code": "image_invalid"}),
        )
    )

    assert (first.dispatch, first.run_id, first.poses, first.ending) == (1, "a", 1, "requeued")
    assert first.reason == "its worker has died"
    assert (second.dispatch, second.run_id, second.poses, second.ending) == (2, "b", 2, "partial")
    assert second.reason == "image_invalid"


def test_a_claim_that_no_run_took_up_says_so() -> None:
    (claim,) = claims_of(happened(("dispatched", {"dispatch": 1}), ("requeued", {"reason": "never began"})))

    assert (claim.run_id, claim.began_at, claim.ending) == (None, None, "requeued")


def test_a_claim_that_is_at_work_has_not_ended() -> None:
    (claim,) = claims_of(happened(("dispatched", {"dispatch": 1}), ("started", {"run": "a"})))

    assert (claim.run_id, claim.ended_at) == ("a", None)


def test_what_was_adopted_began_without_a_claim() -> None:
    (claim,) = claims_of(happened(("queued", {}), ("dispatched", {}), ("started", {"token": 1}), ("completed", {})))
    assert (claim.run_id, claim.ending) == (None, "completed")

    (unclaimed,) = claims_of(happened(("started", {"token": 1}), ("completed", {})))
    assert (unclaimed.claimed_at, unclaimed.ending) == (None, "completed")


def test_who_cancelled_is_the_reason() -> None:
    (claim,) = claims_of(happened(("dispatched", {"dispatch": 1}), ("cancelled", {"actor": "customer"})))

    assert claim.reason == "by customer"


def test_what_comes_after_the_end_belongs_to_no_claim() -> None:
    (claim,) = claims_of(
        happened(("dispatched", {}), ("started", {}), ("completed", {}), ("pose_completed", {}), ("refunded", {}))
    )

    assert (claim.poses, claim.ending) == (0, "completed")


def test_what_is_alike_and_follows_each_other_is_one_stretch() -> None:
    told = happened(("queued", {}), ("pose_completed", {}), ("pose_completed", {}), ("queued", {}))

    stretches = [(stretch.kind, stretch.count) for stretch, _ in stretches_of(told)]

    assert stretches == [("queued", 1), ("pose_completed", 2), ("queued", 1)]
    together = next(stretch for stretch, _ in stretches_of(told) if stretch.count == 2)
    assert together.last - together.first == timedelta(seconds=1)
