"""The roles of `docs/how-to/database-roles.md`, made as the page says, each trying what it may and may not do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import dict_row

from posegen import audit
from posegen.access import service as access
from posegen.access.answered import StoredResponse, answered, remember
from posegen.access.callers import Caller, Kind
from posegen.access.tickets import Followed
from posegen.accounts import service as accounts
from posegen.backends.breaker import BackendRule, Breaker
from posegen.database.connection import Database
from posegen.database.migrate import newest_revision
from posegen.database.server_url import parse_url
from posegen.errors import BackendHeldBack, BackendUnavailable
from posegen.generations import service as generations
from posegen.generations.asking import claims
from posegen.generations.asking.regeneration import regenerate
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.images.validation import open_image
from posegen.storage.local import LocalStore
from posegen.upkeep.invariants import Bounds
from posegen.upkeep.preparing import prepare_database
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.retention_access import delete_ended_access
from posegen.upkeep.verification import verify
from posegen.uploads import service as uploads
from posegen.variants import service as variants
from posegen.work.rules import RetryRule
from tests.adopted import adopt, fill
from tests.builders import (
    A_POSE,
    SLUGS,
    a_design,
    a_request,
    a_user,
    cancel_generation,
    execute,
    expire_lease,
    queued,
    result,
    rows,
    started,
    take_in,
    value,
    work,
)
from tests.conftest import BASE_URL
from tests.documents import page
from tests.hostile_images import encoded
from tests.migrations import upgrade_to
from tests.stores import SIGNING_SECRET

PAGE = page("docs/how-to/database-roles.md")
PASSWORD = "choose a long one"


@pytest.fixture
def owner(empty_database_url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The owner's way into a database of its own, with the schema in it; `param`: the migration that it stands at."""
    with Database(empty_database_url) as database:
        if migration := getattr(request, "param", None):
            upgrade_to(empty_database_url, migration)
        else:
            prepare_database(database, base_urls={"local": BASE_URL})
        yield database


@pytest.fixture
def login(owner: Database) -> Iterator[object]:
    """Makes a role of the page under a name that no other test has, and returns the URL that it logs in with.

    `but`: what to leave out of the page's statements.
    """
    made: list[str] = []

    def make(note: str, *but: str) -> str:
        (statements,) = [block.text for block in PAGE.blocks() if block.note == note]
        for each in but:
            assert each in statements
            statements = statements.replace(each, "")
        name = f"posegen_{note}_{secrets.token_hex(4)}"
        with psycopg.connect(owner.url, autocommit=True) as connection:
            connection.execute(statements.replace(f"posegen_{note}", name).encode())
        made.append(name)
        server = parse_url(owner.url)
        _, _, place = server.login.rpartition("@")
        return replace(server, login=f"{name}:{PASSWORD.replace(' ', '%20')}@{place}").on(server.database)

    yield make
    with psycopg.connect(owner.url, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("drop owned by {0}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("drop role {0}").format(sql.Identifier(name)))


def refused(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        for statement in statements:
            with pytest.raises((errors.InsufficientPrivilege, errors.RestrictViolation)):
                connection.execute(statement.encode())


# --- a web backend ------------------------------------------------------------------------------------------------


def test_a_web_backend_asks_cancels_and_reads(owner, studio, login):
    user = a_user(owner)
    made = queued(owner, user, formats=["shopee"])
    (claim,) = claims.claim_next(owner, most_running=1)
    work(replace(studio, database=owner), started(owner, claim))

    with psycopg.connect(login("web"), autocommit=True, row_factory=dict_row) as web:
        web.execute("insert into generation_requests (user_id, poses) values (%s, %s)", [user, [A_POSE]])
        (asked,) = web.execute("select * from submit_generation(%s, 'key', %s)", [user, [A_POSE]])
        (again,) = web.execute("select * from submit_generation(%s, 'key', %s)", [user, [A_POSE]])
        assert (asked["replayed"], again["replayed"]) == (False, True)
        assert web.execute("select cancel_generation(%s) as done", [asked["generation_id"]]).fetchone() == {
            "done": True
        }
        (pose,) = web.execute("select * from pose_results where generation_id = %s", [made])
        counted = web.execute(
            "select set_favourite(%(pose)s, true) as favourite, record_download(%(pose)s, 'shopee') as downloads",
            {"pose": pose["pose_id"]},
        ).fetchone()
        assert counted == {"favourite": True, "downloads": 1}
        gone = web.execute(
            "select delete_images(array[%(pose)s::uuid]) as hidden, restore_images(array[%(pose)s::uuid]) as shown, "
            "delete_variants('{}') as variants, delete_upload(gen_random_uuid()) as upload",
            {"pose": pose["pose_id"]},
        ).fetchone()
        assert gone == {"hidden": 1, "shown": 1, "variants": 0, "upload": False}
        (someone,) = web.execute("insert into users (name) values ('Budi') returning id")
        (account,) = web.execute("select credits_available from accounts where user_id = %s", [someone["id"]])
        assert account == {"credits_available": 0}

    assert value(owner, "select count(*) from generations") == 3


@pytest.mark.parametrize("owner", ["0009"], indirect=True)
def test_a_web_backend_keeps_its_rights_when_the_database_is_upgraded(owner, login):
    url = login("web")

    prepare_database(owner, base_urls={"local": BASE_URL})

    user = a_user(owner)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as web:
        (asked,) = web.execute("select * from submit_generation(%s, 'key', %s)", [user, [A_POSE]])
        assert web.execute("select cancel_generation(%s) as done", [asked["generation_id"]]).fetchone() == {
            "done": True
        }
        for view in ("generation_results", "pose_results", "variant_results", "design_results"):
            web.execute(sql.SQL("select * from {}").format(sql.Identifier(view)))
    refused(url, f"select grant_credits('{user}', 1, 'mine')", "select * from owned_objects")


def test_a_web_backend_moves_no_credits_and_touches_no_table_of_ours(owner, login):
    user = a_user(owner)
    queued(owner, user)

    refused(
        login("web"),
        f"select grant_credits('{user}', 1000, 'mine')",
        "select refund_poses('{}', 'mine')",
        "select end_open_poses(id, 'mine', 'me') from generation_requests",
        "select give_back_reservation(id) from generation_requests",
        "select record_event(id, 'completed') from generation_requests",
        "select * from ledger_entries",
        "select * from generations",
        "update generations set status = 'completed'",
        "insert into generations (id, user_id, priority) values (gen_random_uuid(), gen_random_uuid(), 0)",
        "update accounts set storage_limit = 0",
        "update generation_requests set seed = 1",
        "select drop_variants('{}')",
        "select drop_objects('{}')",
        "update adopted_files set deletable = true",
        "delete from generation_requests",
        "insert into events (generation_id, sequence, kind) select id, 99, 'completed' from generation_requests",
        "create table mine (x integer)",
    )


def test_a_search_path_of_the_callers_leads_no_door_astray(owner, login):
    """As if somebody had put tables of their own in front of ours."""
    user = a_user(owner)
    with psycopg.connect(login("web"), autocommit=True) as web:
        web.execute("create temp table generations (like public.generation_results)")
        web.execute("create temp table generation_requests (like public.generation_results)")
        web.execute("set search_path = pg_temp, public")
        web.execute("select public.submit_generation(%s, 'key', %s)", [user, [A_POSE]])
        web.execute("insert into public.generation_requests (user_id, poses) values (%s, %s)", [user, [A_POSE]])

    assert value(owner, "select count(*) from generations") == 2


def test_no_function_of_ours_may_be_called_by_everybody(owner):
    open_to_all = value(
        owner,
        """
        select coalesce(array_agg(proname::text), '{}') from pg_proc
        where pronamespace = 'public'::regnamespace and has_function_privilege('public', oid, 'execute')
        """,
    )
    assert open_to_all == []


def test_every_door_has_a_search_path_of_its_own(owner):
    without = value(
        owner,
        """
        select coalesce(array_agg(proname::text), '{}') from pg_proc
        where pronamespace = 'public'::regnamespace and prosecdef
            and proconfig is distinct from array['search_path=public, pg_temp']
        """,
    )
    assert without == []


# --- the HTTP API --------------------------------------------------------------------------------------------------


def test_the_api_does_what_its_routes_do(owner, studio, login):
    user, now = a_user(owner), datetime.now(UTC)
    made = queued(owner, user, formats=["shopee"])
    (claim,) = claims.claim_next(owner, most_running=1)
    work(replace(studio, database=owner), started(owner, claim))

    with Database(login("api")) as database:
        signing = LocalStore(studio.store._root, base_url=BASE_URL, signing_secret=lambda: SIGNING_SECRET)
        api = replace(studio, database=database, store=signing)
        submitted = generations.submit(database, user, GenerationRequest(poses=[A_POSE]), idempotency_key="k")
        generations.cancel(database, submitted.generation_id, actor="key:a")
        assert generations.refund(database, made, reason="wrong hat", actor="key:a").credits == 30
        assert accounts.grant(database, user, 5, reason="sorry", actor="key:a").available > 0
        assert regenerate(api, made, formats=["tiktok"]).derived == 1
        (pose,) = generations.pose_results(database, made)
        value(database, "select set_favourite(%s, true)", pose.pose_id)
        value(database, "select record_download(%s, 'shopee')", pose.pose_id)
        variants.submit(database, str(pose.pose_id), tool="editor", user_id=user)
        generations.delete(database, made, grace=timedelta(hours=1), actor="key:a")
        generations.restore(database, made, actor="key:a")
        design = a_design(database, user)
        execute(database, "delete from design_requests where id = %s", design)
        execute(database, "update users set name = 'Budi' where id = %s", user)
        value(database, "insert into users (name) values ('Citra') returning id")
        upload(api, user)
        every_credential(database, user, made, now)
        trail(database)


def upload(studio, user):
    png = encoded("PNG")
    begun = uploads.begin(studio, user, content_type="image/png", size=len(png))
    (key,) = [each["key"] for each in rows(studio.database, "select key from uploads where id = %s", begun.upload)]
    studio.store.put(key, png, content_type="image/png")
    kept = uploads.complete(studio, begun.upload, lambda data, _: open_image(data))
    assert kept.status == "completed"
    uploads.delete(studio.database, kept.id, actor="key:a")


def every_credential(database, user, generation, now):
    operator = Caller.operator("Ayu")
    key = access.create_key(database, operator, kind=Kind.USER, user_id=user, name="x", now=now)
    caller = access.caller_of_key(database, key.secret, now)
    link = access.make_link(database, operator, user, now=now)
    session = access.sign_in(database, link.secret, now)
    access.sign_out(database, access.caller_of_session(database, session.secret, now), now)
    ticket = access.make_ticket(database, caller, Followed(generation), now)
    assert access.caller_of_ticket(database, ticket.secret, now).caller.user_id == user
    shared = access.share(database, caller, generation, lasts=timedelta(days=1), now=now)
    access.revoke_share_link(database, caller, shared.link.id, now)
    with database.transaction() as connection:
        assert answered(connection, caller, "k", b"x" * 32) is None
        remember(connection, caller, "k", b"x" * 32, StoredResponse(201, {}))
    access.revoke_key(database, operator, key.key.id, now)


def trail(database):
    with database.transaction() as connection:
        lines = audit.trail(connection, limit=100)
    assert {"credits_granted", "credits_refunded", "key_created", "session_revoked"} <= {each.action for each in lines}


def test_the_api_writes_no_ledger_and_deletes_no_trace(owner, login):
    user = a_user(owner)
    queued(owner, user)

    refused(
        login("api"),
        "insert into ledger_entries (kind, user_id, source, target, amount, reason, actor) "
        f"values ('grant', '{user}', 'issued', 'available', 1000, 'mine', 'me')",
        "update accounts set credits_available = 1000000",
        "update accounts set storage_limit = 0",
        "update ledger_entries set amount = 0",
        "delete from audit_entries",
        "update audit_entries set actor = 'me'",
        "update generations set status = 'completed'",
        "update generation_requests set seed = 1",
        "delete from api_keys",
        "delete from sessions",
        "delete from answered_requests",
        "update answered_requests set status = 200",
        "delete from objects",
        "delete from users",
        "create table mine (x integer)",
    )


# --- a worker -----------------------------------------------------------------------------------------------------


def test_a_worker_does_all_that_posegen_does(owner, studio, login):
    user = a_user(owner)
    with Database(login("worker")) as database:
        prepare_database(database, base_urls={"local": BASE_URL})
        working = replace(studio, database=database)
        made, lost, cancelled = (a_request(owner, user, poses=SLUGS[:2], formats=["shopee"]) for _ in range(3))
        take_in(database)
        first, second, third = claims.claim_next(database, most_running=3)
        assert [first.id, second.id, third.id] == [made, lost, cancelled]
        assert work(working, started(database, first)) == "completed"
        started(database, second)
        expire_lease(database, lost)
        assert [each.goes_on for each in recover(database, RetryRule(), TimeLimits())] == [True]
        cancel_generation(database, cancelled, actor="customer")
        breaker = Breaker(database, "mannequin", BackendRule(failures=1))
        with pytest.raises(BackendHeldBack):
            breaker.failed(BackendUnavailable("503"))
        breaker.answered()
        assert not any(finding.violations for finding in verify(database, [working.store], bounds=Bounds()))
        value(
            owner, "select delete_images(array_agg(id), 'Ayu', '0') from generated_poses where generation_id = %s", made
        )
        assert clean_up_images(database, [working.store], RetentionRule()).deleted.poses == 2
        every_credential(owner, user, made, datetime(2020, 1, 1, tzinfo=UTC))
        assert delete_ended_access(database, datetime.now(UTC)) == 5
        fill(working.store._root)
        assert adopt(working, working.store._root, user).poses == 2

    assert (result(owner, made)["credits_spent"], result(owner, cancelled)["credits_released"]) == (60, 60)


@pytest.mark.parametrize("owner", ["0009"], indirect=True)
def test_a_worker_starts_with_grants_that_are_older_than_the_record_of_the_definitions(owner, login):
    later = (
        "revoke insert, update on api_keys, sessions, login_links, stream_tickets, share_links, answered_requests "
        "from posegen_worker;"
    )
    url = login("worker", ", definitions_version", ", root_request", later)
    prepare_database(owner, base_urls={"local": BASE_URL})

    with Database(url) as database:
        assert prepare_database(database, base_urls={"local": BASE_URL}) == newest_revision()


def test_a_worker_cannot_give_credits_away_or_change_what_was_written(owner, login):
    user = a_user(owner)
    queued(owner, user)
    entry = "insert into ledger_entries (kind, user_id, source, target, amount, reason, actor) values "

    refused(
        login("worker"),
        f"select grant_credits('{user}', 1000, 'mine')",
        "select refund_poses('{}', 'mine')",
        f"{entry} ('grant', '{user}', 'issued', 'available', 1000, 'mine', 'me')",
        "update accounts set credits_available = credits_available + 1, credits_granted = credits_granted + 1",
        "update accounts set storage_limit = storage_limit + 1",
        "update holds set amount = 0",
        "update ledger_entries set amount = 0",
        "delete from ledger_entries",
        "truncate ledger_entries",
        "update generation_requests set seed = 1",
        "update generated_poses set price = 0",
        "drop trigger ledger_is_append_only on ledger_entries",
        "alter table ledger_entries disable trigger all",
        "update definitions_version set edition = 99",
        "insert into api_keys (id, secret, kind, name, scopes, created_by) values "
        "('000000000000', sha256('mine'), 'admin', 'mine', array['admin:write'], 'me')",
        "update api_keys set kind = 'admin', user_id = null",
        "update sessions set is_admin = true",
        f"insert into login_links (secret, user_id, is_admin, created_by, expires_at) values "
        f"(sha256('mine'), '{user}', true, 'me', now())",
        "create table mine (x integer)",
    )
    assert value(owner, "select credits_available from accounts") == 9_970


# --- reports ------------------------------------------------------------------------------------------------------


def test_reports_read_everything_and_write_nothing(owner, studio, login):
    user = a_user(owner)
    queued(owner, user)
    url = login("report")

    with psycopg.connect(url) as reports:
        for table in ("ledger_entries", "generations", "generation_results", "events", "accounts", "backend_breakers"):
            reports.execute(sql.SQL("select * from {}").format(sql.Identifier(table)))
    refused(
        url,
        f"insert into generation_requests (user_id) values ('{user}')",
        "update accounts set storage_limit = 0",
        "delete from events",
        f"select grant_credits('{user}', 1, 'mine')",
        "select cancel_generation(id) from generations",
    )
