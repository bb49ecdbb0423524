"""Lists of generations and of pictures: every row once, in order, by index."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from uuid import uuid4

import pytest

from posegen.generations import service
from posegen.generations.reading import pages, results
from posegen.generations.reading.pages import GenerationFilter, Order, PoseFilter
from posegen.generations.reading.results import GenerationResult
from posegen.states import GenerationStatus, PoseStatus
from tests.builders import SLUGS, a_request, a_user, cancel_generation, execute, finished, queued, rows, value


def walk(listing, database, which, *, limit=2):
    """All pages, one after the other."""
    after, found = None, []
    while True:
        page = listing(database, which, after=after, limit=limit)
        assert len(page.data) <= limit
        found.append(page.data)
        after = page.next
        if after is None:
            return found


def ids(database, which, *, limit=2):
    return [
        each.generation_id for page in walk(service.list_generations, database, which, limit=limit) for each in page
    ]


def pose_ids(database, which, *, limit=2):
    return [each.pose_id for page in walk(service.list_poses, database, which, limit=limit) for each in page]


def test_the_result_of_a_generation_has_all_columns_of_the_view_in_their_order(database):
    query = "select column_name from information_schema.columns where table_name = 'generation_results'"
    columns = [each["column_name"] for each in rows(database, f"{query} order by ordinal_position")]

    assert [field.name for field in fields(GenerationResult)] == columns


def test_every_generation_is_on_one_page_the_newest_first_also_when_many_have_one_time(database):
    user = a_user(database)
    asked = [a_request(database, user) for _ in range(5)]
    execute(database, "update generations set submitted_at = '2026-11-01'")
    last = a_request(database, user)

    assert ids(database, GenerationFilter()) == [last, *sorted(asked, reverse=True)]
    assert ids(database, GenerationFilter(order=Order.OLDEST)) == [*sorted(asked), last]
    assert [len(page) for page in walk(service.list_generations, database, GenerationFilter())] == [2, 2, 2]


def test_generations_that_come_meanwhile_are_on_no_later_page(database):
    user = a_user(database)
    asked = [a_request(database, user) for _ in range(3)]
    first = service.list_generations(database, GenerationFilter(), limit=2)

    a_request(database, user)

    second = service.list_generations(database, GenerationFilter(), after=first.next, limit=2)
    assert [each.generation_id for each in [*first.data, *second.data]] == asked[::-1]


def test_filters_of_generations_count_together(database):
    user, other = a_user(database), a_user(database)
    grouped = a_request(database, user, project_id="summer", group_name="one")
    in_project = a_request(database, user, project_id="summer")
    cancelled = a_request(database, user)
    cancel_generation(database, cancelled, actor="Ayu")
    foreign = a_request(database, other, project_id="summer")
    between = value(database, "select submitted_at from generations where id = %s", cancelled)

    assert ids(database, GenerationFilter(user_id=user)) == [cancelled, in_project, grouped]
    assert ids(database, GenerationFilter(project_id="summer")) == [foreign, in_project, grouped]
    assert ids(database, GenerationFilter(user_id=user, project_id="summer")) == [in_project, grouped]
    assert ids(database, GenerationFilter(user_id=user, project_id="summer", group_name="one")) == [grouped]
    both = [GenerationStatus.CANCELLED, GenerationStatus.FAILED]
    assert ids(database, GenerationFilter(statuses=both)) == [cancelled]
    assert ids(database, GenerationFilter(since=between)) == [foreign, cancelled]
    assert ids(database, GenerationFilter(until=between)) == [in_project, grouped]
    assert ids(database, GenerationFilter(user_id=uuid4())) == []


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_page_has_1_to_100_rows(database, limit):
    with pytest.raises(ValueError, match="1 to 100"):
        service.list_generations(database, GenerationFilter(), limit=limit)


def test_pictures_are_listed_the_latest_first_without_hidden_ones(studio):
    database, user = studio.database, a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:3], formats=["print_letter"])
    made = [pose.pose_id for pose in service.pose_results(database, generation)]
    finished(studio, a_user(database), poses=SLUGS[:1])
    times = rows(
        database, "select id from generated_poses where user_id = %s order by completed_at desc, id desc", user
    )

    assert pose_ids(database, PoseFilter(user_id=user)) == [each["id"] for each in times]
    (shown,) = (each for each in service.list_poses(database, PoseFilter()).data if each.pose_id == made[0])
    assert shown == service.pose_results(database, generation)[0]
    assert shown.image_url
    assert shown.effective_ppi

    service.delete(database, generation, numbers=[1], grace=timedelta(days=1), actor="Ayu")

    assert set(pose_ids(database, PoseFilter(user_id=user))) == set(made[1:])


def test_filters_of_pictures_count_together(studio):
    database, user = studio.database, a_user(studio.database)
    one = finished(studio, user, poses=["star-jump"], project_id="summer", group_name="one", formats=["tiktok"])
    two = finished(studio, user, poses=["yoga-tree"], project_id="summer", formats=["shopee"])
    three = finished(studio, user, poses=["yoga-tree"])
    (first,), (second,), (third,) = ([p.pose_id for p in service.pose_results(database, g)] for g in (one, two, three))
    execute(database, "select set_favourite(%s, true)", second)
    between = value(database, "select completed_at from generated_poses where id = %s", second)

    assert pose_ids(database, PoseFilter(user_id=user)) == [third, second, first]
    assert pose_ids(database, PoseFilter(user_id=user, order=Order.OLDEST)) == [first, second, third]
    assert pose_ids(database, PoseFilter(category="yoga")) == [third, second]
    assert pose_ids(database, PoseFilter(library_pose="star-jump")) == [first]
    assert pose_ids(database, PoseFilter(format="tiktok")) == [first]
    assert pose_ids(database, PoseFilter(user_id=user, project_id="summer")) == [second, first]
    assert pose_ids(database, PoseFilter(user_id=user, project_id="summer", group_name="one")) == [first]
    assert pose_ids(database, PoseFilter(is_favourite=True)) == [second]
    assert pose_ids(database, PoseFilter(is_favourite=False)) == [third, first]
    assert pose_ids(database, PoseFilter(since=between)) == [third, second]
    assert pose_ids(database, PoseFilter(until=between)) == [first]


def test_poses_without_a_picture_are_listed_by_their_status(database):
    user = a_user(database)
    generation = queued(database, user, poses=SLUGS[:3])

    waiting = pose_ids(database, PoseFilter(user_id=user, status=PoseStatus.PENDING))
    cancel_generation(database, generation, actor="Ayu")

    assert len(waiting) == 3
    assert pose_ids(database, PoseFilter(user_id=user, status=PoseStatus.PENDING)) == []
    assert pose_ids(database, PoseFilter(status=PoseStatus.CANCELLED)) == waiting


# --- plans --------------------------------------------------------------------------------------------------------

MANY = 20_000
_FILL = """
set local session_replication_role = replica;
create temp table made on commit drop as
select md5('g' || n)::uuid as id, md5('p' || n)::uuid as pose_id, n, case n %% 10 when 0 then 'tenth' end as project_id,
       '2026-01-01'::timestamptz + make_interval(mins => n) as at from generate_series(1, %(many)s) n;
insert into generation_requests (id, user_id, poses, project_id, created_at)
select id, %(user)s, '{star-jump}', project_id, at from made;
insert into generations (id, user_id, project_id, status, formats, poses_total, priority, turn, last_event,
    submitted_at, finished_at)
select id, %(user)s, project_id, 'completed', '{}', 1, 0, n, 9, at, at from made;
insert into generated_poses (id, generation_id, user_id, project_id, position, library_pose, variation, seed,
    prompt_used, control_weight, backend, price, status, recipe_hash, image_object, original_object, thumbnail_object,
    is_favourite, completed_at)
select pose_id, made.id, %(user)s, project_id, 0, 'star-jump', 0, 7, 'a person', 1, 'mannequin', 30, 'completed',
       repeat('0', 64), object.id, object.id, object.id, n %% 5 = 0, at
from made, (select min(id) as id from objects) object;
analyze generations, generation_requests, generated_poses
"""


@pytest.fixture
def many(studio):
    """A user with thousands of generations of one picture each, all analysed."""
    database, user = studio.database, a_user(studio.database)
    finished(studio, a_user(database), poses=SLUGS[:1])
    with database.transaction() as connection:
        for statement in _FILL.split(";"):
            connection.execute(statement.encode(), {"user": user, "many": MANY} if "%(" in statement else None)
    return database, user


def rows_read(plan):
    """The rows that scans of the large tables have read, those that a filter removed among them."""
    large = {"generations", "generation_requests", "generated_poses", "objects", "exports", "thumbnails"}
    own = 0
    if plan.get("Relation Name") in large:
        own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return [own, *(count for child in plan.get("Plans", []) for count in rows_read(child))]


def explained(connection, statement, values):
    """The most rows that any scan of a large table reads for a statement."""
    (row,) = connection.execute(f"explain (analyze, format json) {statement}".encode(), values or None).fetchall()
    return max(rows_read(row["QUERY PLAN"][0]["Plan"]))


@pytest.mark.parametrize(
    ("listing", "which"),
    [
        *((pages.page_of_generations, which) for which in (
            GenerationFilter(), GenerationFilter(order=Order.OLDEST), GenerationFilter(user_id=0),
            GenerationFilter(user_id=0, project_id="tenth"),
        )),
        *((pages.page_of_poses, which) for which in (
            PoseFilter(), PoseFilter(order=Order.OLDEST), PoseFilter(user_id=0),
            PoseFilter(user_id=0, is_favourite=True),
            PoseFilter(user_id=0, project_id="tenth"),
        )),
    ],
)  # fmt: skip
def test_no_plan_reads_more_rows_than_the_page_shows(many, monkeypatch, listing, which):
    database, user = many
    which = type(which)(**vars(which) | ({"user_id": user} if which.user_id is not None else {}))
    ran = []
    for module in (pages, results):
        real = module.many
        monkeypatch.setattr(module, "many", lambda *call, real=real: (ran.append(call[2:]), real(*call))[1])
    with database.transaction() as connection:
        after = None
        for _ in range(6):
            ran.clear()
            after = listing(connection, which, after=after, limit=100).next
            read = [explained(connection, *call) for call in list(ran)]
            assert max(read) <= 102, ran
