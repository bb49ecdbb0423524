"""From an INSERT to files in a browser, through every process of `posegen up`."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from io import BytesIO

import httpx2
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from posegen.cli.requests import LOCAL_USER
from posegen.images.validation import open_image
from posegen.platforms.platform import PLATFORMS
from tests.builders import SLUGS
from tests.homes import PRICE

MATERIALIZATION = """
query($partition: String!) {
  assetOrError(assetKey: {path: ["generated_poses"]}) {
    ... on Asset {assetMaterializations(partitions: [$partition]) {
      metadataEntries {label ... on MarkdownMetadataEntry {mdStr}}
    }}
  }
}
"""


@pytest.fixture(scope="module")
def made(home):
    """A generation of two poses, which has been made, and whose run is over."""
    home.up()
    generation = home.insert(
        home.a_user(),
        poses=["star-jump", "phone-selfie"],
        formats=["shopee", "tiktok"],
        prompt="in the park",
        project_id="p-1",
    )
    home.ended(generation)
    home.wait(lambda: home.runs(generation)[0]["status"] == "SUCCESS")
    return generation


def test_a_row_becomes_pictures_that_a_browser_can_get(platform, made):
    result = platform.result(made)

    assert (result["status"], result["poses_completed"], result["credits_spent"]) == ("completed", 2, 2 * PRICE)
    assert platform.credits(platform.value("select user_id from generations where id = %s", made)) == (
        10_000 - 2 * PRICE,
        0,
        2 * PRICE,
    )
    for pose in platform.poses(made):
        assert pose["exports"].keys() == {"shopee", "tiktok"}
        assert get_picture(platform, pose["image_url"]).shape == (1024, 1024, 3)
        assert get_picture(platform, pose["original_url"]).shape == (1024, 1024, 3)
        assert get_picture(platform, pose["thumbnail_url"]).shape == (400, 400, 3)
        for name, url in pose["exports"].items():
            assert get_picture(platform, url).shape == (PLATFORMS[name].height, PLATFORMS[name].width, 3)


def get_picture(platform, url):
    """What is served has to be, bit for bit, what was written down."""
    (stored,) = platform.sql("select * from objects join object_urls using (id) where url = %s", url)
    status, headers, body = platform.get(url)
    assert status == 200
    assert headers["Content-Type"] == stored["content_type"]
    assert (hashlib.sha256(body).hexdigest(), len(body)) == (stored["sha256"], stored["size"])
    return open_image(body)


def test_dagster_shows_the_partition_its_run_and_the_contact_sheet(platform, made):
    assert b"Dagster" in platform.get("/overview")[2]
    assert len(platform.runs(made)) == 1
    (told,) = platform.ask(MATERIALIZATION, partition=str(made))["assetOrError"]["assetMaterializations"]
    shown = {entry["label"]: entry.get("mdStr") for entry in told["metadataEntries"]}
    url = shown["contact sheet"].removeprefix("![contact sheet](").removesuffix(")")
    status, headers, body = platform.get(url)
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert open_image(body).shape[1] == 640


def test_prometheus_is_told_what_was_made_and_stored(platform, made):
    status, _, body = platform.get("/metrics")

    families = text_string_to_metric_families(body.decode())
    told = {(each.name, *sorted(each.labels.values())): each.value for family in families for each in family.samples}
    assert (status, told["posegen_up",]) == (200, 1)
    assert told["posegen_generations_finished_total", "completed"] >= 1
    stored = platform.sql("select sum(size) as bytes from objects where generation_id = %s", made)
    assert told["posegen_store_bytes_total", "local", "write"] >= stored[0]["bytes"] > 0


def test_manifests_and_other_peoples_files_are_not_served(platform, made):
    manifest = platform.folder / "storage" / "manifests" / "generated_poses" / f"{made}.json"
    assert json.loads(manifest.read_text())["generation"] == str(made)

    for path in (f"/media/manifests/generated_poses/{made}.json", "/media/../up.log", "/media/%2e%2e/up.log"):
        status, _, body = platform.get(path)
        assert status == 404 or b"<html" in body.lower(), path
        assert str(made).encode() not in body


def test_no_password_is_in_what_dagster_remembers_or_anybody_has_logged(platform, made):
    variables = json.loads(platform.posegen("env", "--json").stdout)
    password = variables["DATABASE_URL"].partition("://")[2].partition("@")[0].partition(":")[2]
    dagster = variables["POSEGEN_DAGSTER_DATABASE_URL"].replace("postgresql+psycopg2://", "postgresql://")

    assert len(password) > 10
    with psycopg.connect(dagster) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = psycopg.sql.SQL("select count(*) from {} as row where strpos(row::text, %s) > 0")
            assert connection.execute(query.format(psycopg.sql.Identifier(table)), [password]).fetchone() == (0,), table
        assert ("runs",) in tables
    for log in [*(platform.folder / "logs").glob("*"), platform.folder / "up.log"]:
        assert password not in log.read_text(), log


def test_the_demonstration_uses_what_is_up_and_shows_files_that_are_there(platform):
    said = platform.posegen("demo").stdout

    assert "Credits: 1000 before, 730 after; 270 spent, 0 held." in said
    assert "Refused, and nothing charged: invalid_request: There is no pose 'flying-carpet'" in said
    assert platform.url in said
    files = list((platform.folder / "demo").rglob("*.*"))
    assert len(files) == 1 + 9 * 2 + 5 * 2 + 12, "the sheet; pictures and thumbnails; exports"
    for file in files:
        open_image(file.read_bytes())


# --- the HTTP API -------------------------------------------------------------------------------------------------


def test_an_application_gets_pictures_over_http(platform):
    key = platform.posegen("key", "create", "--name", "shop").stdout.strip()
    asked = {"user_id": str(platform.a_user()), "poses": ["star-jump", "phone-selfie"], "formats": ["tiktok"]}
    with httpx2.Client(
        base_url=platform.api_url, headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=180
    ) as api:
        price = api.post("/v1/generations/price", json=asked).json()
        assert (price["pictures"], price["credits"], price["refused"]) == (2, 2 * PRICE, None)

        submitted = api.post("/v1/generations", json=asked, headers={"idempotency-key": "order-1"})
        assert submitted.status_code == 202
        events = list(events_of(api, f"{submitted.headers['location']}/events?after=0"))
        again = api.post("/v1/generations", json=asked, headers={"idempotency-key": "order-1"})
        assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")

        found = api.get(submitted.headers["location"], params={"expand": "poses"}).json()
        assert (found["generation"]["status"], found["generation"]["credits_spent"]) == ("completed", 2 * PRICE)
        urls = {pose["image_url"] for pose in found["poses"]}
        told = [json.loads(event["data"])["image_url"] for event in events if event["event"] == "pose_completed"]
        assert (len(told), set(told), events[-1]["event"]) == (2, urls, "completed")
        for url in [*urls, *(url for pose in found["poses"] for url in pose["exports"].values())]:
            open_image(api.get(url).content)
        with zipfile.ZipFile(BytesIO(api.get(f"{submitted.headers['location']}/archive").content)) as archive:
            assert len([name for name in archive.namelist() if name.endswith((".png", ".jpg"))]) >= 2
            assert archive.testzip() is None


def events_of(api, url):
    """The events of a stream up to its end, each as its fields."""
    with api.stream("GET", url, headers={"accept": "text/event-stream"}) as stream:
        fields = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif fields:
                if "event" in fields:
                    yield fields
                fields = {}


def test_the_printed_link_signs_a_browser_in_once(platform):
    (link,) = re.findall(r"Sign in: +(http://\S+/login/\S+)", (platform.folder / "up.log").read_text())

    with httpx2.Client(trust_env=False, timeout=60) as browser:
        assert browser.get(link, follow_redirects=True).json()["user_id"] == str(LOCAL_USER)
        assert browser.get(link).status_code == 401


# --- what is wrong ------------------------------------------------------------------------------------------------

BAD = {
    "an unknown pose": {"poses": ["flying-carpet"]},
    "an unknown category": {"categories": ["flying"]},
    "an unknown format": {"poses": ["star-jump"], "formats": ["myspace"]},
    "an unknown backend": {"poses": ["star-jump"], "backend": "dream"},
    "an unknown avatar attribute": {"poses": ["star-jump"], "avatar": {"wings": "two"}},
    "an unknown avatar value": {"poses": ["star-jump"], "avatar": {"hair": "on_fire"}},
    "an avatar value that is no text": {"poses": ["star-jump"], "avatar": {"hair": ["bob_brown"]}},
    "0 poses": {},
    "51 poses": {"poses": SLUGS[:51]},
    "52 pictures": {"poses": SLUGS[:2], "variations": 26},
    "a prompt of 0 characters": {"prompt": ""},
    "a prompt of blanks": {"prompt": " \n "},
    "a prompt of 20,000 characters": {"prompt": "p" * 20_000},
    "a prompt with control characters": {"prompt": "red\x1b[2Jdress"},
    "an unknown user": {"poses": ["star-jump"], "user_id": "00000000-0000-0000-0000-000000000000"},
    "a user without credits": {"poses": ["star-jump"]},
}


def test_bad_requests_end_with_their_code_and_the_good_ones_between_them_are_made(platform):
    user, poor = platform.a_user(), platform.a_user(credits=PRICE - 1)
    requests = [{"user_id": user, **columns} for columns in BAD.values()]
    requests[-1]["user_id"] = poor
    good = {"user_id": user, "poses": ["star-jump"]}

    made = platform.insert_many(*requests[:8], good, *requests[8:], good)
    results = platform.ended(*made)

    good_results = [results[8], results[-1]]
    assert [each["status"] for each in good_results] == ["completed"] * 2
    bad_results = [each for each in results if each not in good_results]
    for what, each in zip(BAD, bad_results, strict=True):
        expected = "insufficient_credits" if what == "a user without credits" else "invalid_request"
        assert (each["status"], each["error_code"]) == ("failed", expected), what
        assert each["error_message"], what
        assert (each["poses_total"], each["credits_spent"], each["credits_held"]) == (0, 0, 0), what
        assert platform.runs(each["generation_id"]) == [], what
    assert platform.credits(user) == (10_000 - 2 * PRICE, 0, 2 * PRICE)
    assert platform.credits(poor) == (PRICE - 1, 0, 0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seed", "-1"),
        ("seed", "4294967296"),
        ("seed", "many"),
        ("variations", "0"),
        ("variations", "51"),
        ("avatar", '{"hair": '),
        ("avatar", '["hair"]'),
        ("poses", "{unclosed"),
        ("user_id", "garbage"),
    ],
)
def test_types_and_ranges_are_refused_at_once(platform, column, value):
    before = platform.value("select count(*) from generation_requests")
    columns = {"user_id": str(platform.a_user(0)), "poses": "{star-jump}", column: value}

    with pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
        platform.sql(
            f"insert into generation_requests ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",
            *columns.values(),
        )

    assert platform.value("select count(*) from generation_requests") == before


def test_a_pose_that_cannot_be_drawn_after_all_fails_alone(platform):
    """An operator changes a pose of their own between intake and work, into something that no skeleton can do."""
    platform.sql(
        "insert into library_poses (slug, name, category, description, difficulty, specification) "
        "values ('ours', 'Ours', 'standing', 'ours', 'easy', '{}')"
    )
    platform.sql(
        """
        create function break_it() returns trigger language plpgsql as $$
        begin
            update library_poses set specification = '{"angles": {"neck": [170, 0, 0]}}' where slug = 'ours';
            return new;
        end $$
        """
    )
    platform.sql(
        "create trigger break_it after update of status on generations for each row when (new.status = 'dispatched') "
        "execute function break_it()"
    )
    user = platform.a_user()

    broken, sound = platform.insert_many(
        {"user_id": user, "poses": ["star-jump", "ours"]}, {"user_id": user, "poses": ["star-jump"]}
    )
    results = platform.ended(broken, sound)
    platform.sql("drop trigger break_it on generations")
    platform.sql("update library_poses set enabled = false where slug = 'ours'")

    assert [each["status"] for each in results] == ["partial", "completed"]
    assert results[0]["error_code"] == "backend_rejected"
    assert "neck flexion is 170" in results[0]["error_detail"]
    assert [pose["status"] for pose in platform.poses(broken)] == ["completed", "failed"]
    assert platform.credits(user) == (10_000 - 2 * PRICE, 0, 2 * PRICE)
