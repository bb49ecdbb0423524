"""What storing costs, checked against sums done by hand on the pages of the stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.reports.cost import Consumption, PoseFootprint, cost_of_poses, monthly_cost
from posegen.reports.prices import price_list

R2, S3, SUPABASE, LOCAL = (price_list()[name] for name in ("r2", "s3", "supabase", "local"))
GB = 10**9


def total(price, **used):
    return monthly_cost(price, Consumption(**used)).total


# --- prices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("price", price_list().values(), ids=price_list())
def test_every_price_was_read_in_the_last_18_months(price):
    assert datetime.now(UTC).date() - price.read_on < timedelta(days=548), f"read {price.source} again"


@pytest.mark.parametrize("price", [R2, S3, SUPABASE], ids=lambda price: price.store)
def test_every_price_names_the_page_that_it_is_from(price):
    assert price.source.startswith("https://")


def test_the_own_disk_costs_what_the_operator_says():
    assert price_list(local_gb_month=Decimal("0.04"))["local"].gb_month == Decimal("0.04")
    assert price_list()["local"].gb_month == 0


# --- what a month costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "dollars"),
    [
        ({"byte_months": 10 * GB}, "0"),
        ({"byte_months": 10 * GB + 1}, "0.015"),
        ({"byte_months": 11 * GB}, "0.015"),
        ({"byte_months": 11 * GB + 1}, "0.030"),
        ({"byte_months": 1010 * GB}, "15"),
        ({"writes": 1_000_000}, "0"),
        ({"writes": 1_000_001}, "4.50"),
        ({"writes": 2_000_001}, "9.00"),
        ({"reads": 10_000_000}, "0"),
        ({"reads": 10_000_001}, "0.36"),
        ({"egress_bytes": 10**15}, "0"),
    ],
)
def test_r2_has_a_free_part_rounds_up_and_sends_for_nothing(used, dollars):
    assert total(R2, **used) == Decimal(dollars)


@pytest.mark.parametrize(
    ("used", "dollars"),
    [
        ({"byte_months": 1000 * GB}, "23"),
        ({"byte_months": GB // 2}, "0.0115"),
        ({"writes": 1_000}, "0.005"),
        ({"reads": 1_000}, "0.0004"),
        ({"egress_bytes": 100 * GB}, "9"),
    ],
)
def test_s3_charges_for_each_byte_and_operation(used, dollars):
    assert total(S3, **used) == Decimal(dollars)


def test_supabase_charges_for_bytes_only():
    assert total(SUPABASE, byte_months=1000 * GB, writes=10**9, reads=10**9, egress_bytes=1000 * GB) == Decimal("111")


def test_a_disk_that_is_there_costs_nothing():
    assert total(LOCAL, byte_months=10**15, writes=10**9, reads=10**9, egress_bytes=10**15) == 0


@given(
    byte_months=st.integers(0, 10**15),
    writes=st.integers(0, 10**10),
    reads=st.integers(0, 10**10),
    egress_bytes=st.integers(0, 10**15),
    more=st.sampled_from(["byte_months", "writes", "reads", "egress_bytes"]),
)
def test_more_of_anything_never_costs_less(byte_months, writes, reads, egress_bytes, more):
    used = {"byte_months": byte_months, "writes": writes, "reads": reads, "egress_bytes": egress_bytes}

    for price in (R2, S3, SUPABASE):
        assert total(price, **{**used, more: used[more] * 2}) >= total(price, **used)


def test_so_many_poses_cost_what_their_objects_and_downloads_cost():
    footprint = PoseFootprint(stored_bytes=2_000_000, writes=4, reads=20, egress_bytes=10_000_000)

    made = cost_of_poses(S3, 100_000, footprint)

    assert made.storage == Decimal("4.6")
    assert made.writes == Decimal("2.0")
    assert made.reads == Decimal("0.8")
    assert made.egress == Decimal("90")
    assert made.total == Decimal("97.4")
