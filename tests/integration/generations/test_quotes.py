"""Quotes say what intake would decide, and write nothing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.backends.registry import BUILT_IN
from posegen.errors import BackendNotConfigured, RequestRefused
from posegen.generations import service
from posegen.generations.asking.intake import HeldUp, IntakeLimits
from posegen.generations.asking.judging import Catalogue, Prices
from posegen.generations.asking.quoting import CatalogueCache, Terms
from posegen.generations.asking.requests import GenerationRequest
from posegen.policy.policy import read_policy
from posegen.settings import Settings
from tests import hosted
from tests.builders import PRICE, SLUGS, a_request, a_user, execute, queued, result, row, take_in, value

ONE = GenerationRequest(poses=SLUGS[:1])


def terms(database, limits=IntakeLimits()):  # noqa: B008 - frozen
    with database.transaction() as connection:
        catalogue = Catalogue.read(
            connection,
            default_backend="mannequin",
            prices=Prices(pose=PRICE),
            backends={**BUILT_IN, hosted.NAME: hosted.DESCRIPTION},
        )
    return Terms(catalogue, read_policy(None), limits, HeldUp())


def quoted(database, user, *requests, limits=IntakeLimits()):  # noqa: B008 - frozen
    return service.quote(database, terms(database, limits), user, requests)


def test_a_quote_is_what_intake_holds_and_reserves(database):
    user = a_user(database)
    asked = {"poses": SLUGS[:2], "variations": 2, "formats": ["shopee"], "backend": hosted.NAME}

    quote = quoted(database, user, GenerationRequest(**asked)).together

    before = row(database, "select credits_held, storage_reserved from accounts where user_id = %s", user)
    queued(database, user, **asked)
    after = row(database, "select credits_held, storage_reserved from accounts where user_id = %s", user)
    assert quote.refusal is None
    assert quote.pictures == 4
    assert before == {"credits_held": 0, "storage_reserved": 0}
    assert after == {"credits_held": quote.credits, "storage_reserved": quote.bytes}


REFUSED = [
    {"poses": ["flying-carpet"]},
    {"prompt": "a naked person"},
    {"poses": SLUGS[:1], "formats": ["myspace"]},
    {"poses": SLUGS[:1], "avatar": {"wings": "two"}},
    {"poses": SLUGS[:30], "variations": 2},
    {"poses": SLUGS[:1], "backend": hosted.NAME, "control_image": str(uuid4())},
    {"poses": SLUGS[:1], "backend": hosted.NAME, "control_image": "http://127.0.0.1/x.png"},
    {},
]


@pytest.mark.parametrize("columns", REFUSED)
def test_a_quote_names_the_refusal_of_intake(database, columns):
    user = a_user(database)

    quote = quoted(database, user, GenerationRequest(**columns)).together

    generation = service.submit(database, user, GenerationRequest(**columns)).generation_id
    take_in(database)
    ended = result(database, generation)
    assert (quote.refusal.code, quote.refusal.detail) == (ended["error_code"], ended["error_detail"])
    assert (quote.pictures, quote.credits, quote.bytes) == (0, 0, 0)


@pytest.mark.parametrize(
    ("account", "limits"),
    [
        ({"credits": PRICE - 1}, IntakeLimits()),
        ({"storage_limit": 1000}, IntakeLimits()),
        ({}, IntakeLimits(most_queued_per_user=1)),
        ({}, IntakeLimits(most_queued=1)),
        ({}, IntakeLimits(poses_per_hour=1)),
    ],
)
def test_a_quote_that_credits_space_or_limits_refuse_has_its_numbers(database, account, limits):
    user = a_user(database, **account)
    if limits != IntakeLimits():
        queued(database, user)

    quote = quoted(database, user, ONE, limits=limits).together

    generation = a_request(database, user)
    take_in(database, limits=limits)
    ended = result(database, generation)
    assert (quote.refusal.code, quote.refusal.detail) == (ended["error_code"], ended["error_detail"])
    assert (quote.pictures, quote.credits) == (1, PRICE)


def test_the_quote_for_an_unknown_user_is_a_refusal(database):
    assert "There is no user" in quoted(database, uuid4(), ONE).together.refusal.detail


def test_requests_together_are_refused_for_what_each_alone_could_have(database):
    user = a_user(database, credits=3 * PRICE)
    two = GenerationRequest(poses=SLUGS[:2])

    both = quoted(database, user, two, two)

    assert [each.refusal for each in both.each] == [None, None]
    assert (both.together.pictures, both.together.credits) == (4, 4 * PRICE)
    assert both.together.refusal.code == "insufficient_credits"
    assert "costs 120 credits and 90 are available" in both.together.refusal.detail
    wrong = quoted(database, user, two, GenerationRequest(poses=["flying"]))
    assert wrong.together.refusal == wrong.each[1].refusal
    assert (wrong.each[0].credits, wrong.together.credits) == (2 * PRICE, 2 * PRICE)
    many = quoted(database, user, ONE, ONE, limits=IntakeLimits(most_queued_per_user=1)).together
    assert many.refusal.code == "too_many_requests"


def test_a_quote_writes_nothing(database):
    user = a_user(database)
    written = "select pg_current_xact_id_if_assigned() is not null"
    with database.transaction() as connection:
        service.quoting.quote(connection, terms(database), user, [ONE, GenerationRequest(variations=0)])
        (assigned,) = connection.execute(written).fetchone().values()
    assert not assigned
    assert value(database, "select count(*) from generation_requests") == 0


OUT_OF_RANGE = [
    *({name: ""} for name in ("project_id", "backend", "control_image")),
    *({name: "x" * 100_001} for name in ("prompt", "negative_prompt")),
    *({name: ["x"] * 1001} for name in ("poses", "categories", "formats")),
    *({name: ["x" * 100_001]} for name in ("poses", "categories", "formats")),
    {"avatar": {"skin": "x" * 20_000}},
    {"variations": 0}, {"variations": 3_000_000_000}, {"seed": 2**32}, {"seed": 2**70}, {"fit": "stretch"},
    {"control_weight": 2.5}, {"control_weight": float("nan")}, {"control_kind": "canny"}, {"control_start": 1},
    {"control_end": 0}, {"control_start": 0.5, "control_end": 0.5}, {"priority": 11}, {"prompt": "a\0b"},
    {"prompt": "a\ud800b"}, {"group_name": "summer"}, {"group_name": "", "project_id": "p"}, {"retry_of": uuid4()},
]  # fmt: skip


@pytest.mark.parametrize("columns", OUT_OF_RANGE, ids=lambda columns: " ".join(columns))
def test_what_the_database_refuses_is_refused_without_a_row(database, columns):
    user = a_user(database)
    request = GenerationRequest(**{"poses": SLUGS[:1], **columns})

    quote = quoted(database, user, request).together

    with pytest.raises(RequestRefused) as refused:
        service.submit(database, user, request)
    assert quote.refusal.code == refused.value.code == "invalid_request"
    if refused.value.detail in service.requests._RANGES.values() and "retry_of" not in columns:
        assert quote.refusal.detail == refused.value.detail


def test_the_catalogue_is_read_again_after_ten_seconds(database):
    now = [100.0]
    cache = CatalogueCache(database, Settings(), clock=lambda: now[0])
    first = cache.terms()
    execute(database, "update library_poses set enabled = false where slug = %s", SLUGS[0])

    now[0] += 9.9
    assert cache.terms() is first
    now[0] += 0.1

    assert SLUGS[0] in first.catalogue.poses
    assert SLUGS[0] not in cache.terms().catalogue.poses


def test_a_backend_that_nothing_describes_stops_quotes_as_it_stops_intake(database):
    cache = CatalogueCache(database, Settings(posegen_backend="camera"), clock=lambda: 0.0)

    with pytest.raises(BackendNotConfigured, match="camera"):
        cache.terms()
