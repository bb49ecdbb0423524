"""Control images of customers: read once, before anything is paid, and used for all poses; or named as left out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from posegen.errors import CallUnknown, ControlUnusable
from posegen.fetching.fetcher import Fetcher
from posegen.generations.asking import intake
from posegen.generations.asking.judging import Prices
from posegen.generations.calling import control_images
from posegen.generations.calling.control import control_map
from posegen.generations.making import pictures
from posegen.images.validation import open_image
from posegen.policy.policy import read_policy
from posegen.storage.keys import upload_key
from posegen.uploads import rows as uploads
from posegen.uploads import service as upload_service
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    account,
    execute,
    result,
    row,
    rows,
    running,
    status,
    take_in,
    taken_over,
    value,
    work,
)
from tests.control_map_files import map_file
from tests.hosted import DESCRIPTION, NAME, FarEndInProcess, short_pauses
from tests.scripted_server import ScriptedServer, response, scripted_server

CAN = replace(DESCRIPTION.capabilities, control_kinds=("openpose", "depth"), control_span=True, negative_prompt=True)
MINE = map_file("star-jump", side=512)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    short_pauses(monkeypatch)
    monkeypatch.setattr(control_images, "_PAUSE_SECONDS", 0.02)


@pytest.fixture
def far_end() -> FarEndInProcess:
    return FarEndInProcess(description=replace(DESCRIPTION, capabilities=CAN))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def studio(studio, far_end, server):
    """With a hosted backend, and a fetcher to which this server's origin is as public as any."""
    return replace(
        studio,
        open_hosted=lambda _: far_end,
        describe=lambda name: far_end.description if name == NAME else None,
        fetcher=Fetcher(origins=(server.url,)),
    )


@pytest.fixture(autouse=True)
def _backend_of_intake(monkeypatch, far_end):
    """Intake knows this backend, and takes the server's address for a public one."""
    monkeypatch.setattr("tests.builders.hosted.DESCRIPTION", far_end.description)
    monkeypatch.setattr(Fetcher, "check", lambda *_: None)


def asked(studio, user=None, *, poses=2, **columns):
    return running(studio.database, user, backend=NAME, poses=SLUGS[:poses], **columns)


def uploaded(studio, user, data=MINE):
    upload = uuid4()
    put = studio.store.put(upload_key(upload, "image/png"), data, content_type="image/png")
    with studio.database.transaction() as connection:
        uploads.begin(
            connection, upload, user, content_type="image/png", size=len(data), store="local", key=put.key, seconds=60
        )
    upload_service.complete(studio, upload, lambda file, _: open_image(file))
    return upload


def serve(server, *replies):
    """Let the server send these one after the other, and the last one for good; returns the URL."""
    left = list(replies)
    server.replies["/pose.png?secret=1"] = lambda connection: connection.sendall(left.pop(0) if left[1:] else left[0])
    return f"{server.url}/pose.png?secret=1"


def degraded(studio):
    return [each["degraded"] for each in rows(studio.database, "select degraded from pose_results order by position")]


def is_mine(control) -> bool:
    """Whether a control map is ours in the size of a pose, by its pixels."""
    wanted = np.asarray(Image.open(io.BytesIO(MINE)).convert("RGB").resize((1024, 1024)), np.int16)
    got = open_image(control.data).astype(np.int16)
    return got.shape == (1024, 1024, 3) and float(np.abs(got - wanted).mean()) < 2


# --- what reaches the far end -------------------------------------------------------------------------------------


@pytest.mark.full_size
def test_everything_that_was_asked_for_reaches_the_far_end(studio, far_end, server):
    url = serve(server, response(MINE))

    lease = asked(
        studio, control_image=url, control_kind="depth", control_weight=0.5,
        control_start=0.1, control_end=0.6, negative_prompt="hats",
    )  # fmt: skip

    assert work(studio, lease) == "completed"
    assert len(far_end.orders) == 2
    for order in far_end.orders:
        assert is_mine(order.control)
        recipe = order.recipe
        assert (recipe.control_kind, recipe.control_start, recipe.control_end) == ("depth", 0.1, 0.6)
        assert (recipe.control_weight, recipe.control_sha256) == (0.5, order.control.sha256)
        assert recipe.negative_prompt.startswith("hats")
    assert len(server.asked) == 1
    for pose in rows(studio.database, "select * from pose_results"):
        assert (pose["control_kind"], pose["control_start"], pose["control_end"]) == ("depth", 0.1, 0.6)
        assert pose["degraded"] == []


@pytest.mark.full_size
def test_an_upload_is_used_without_any_request(studio, far_end, server):
    user = a_user(studio.database)

    assert work(studio, asked(studio, user, control_image=str(uploaded(studio, user)))) == "completed"

    assert all(is_mine(order.control) for order in far_end.orders)
    assert server.asked == []


def test_without_a_control_image_the_maps_of_the_library_are_used(studio, far_end):
    assert work(studio, asked(studio)) == "completed"

    assert len({order.control.sha256 for order in far_end.orders}) == 2
    assert value(studio.database, "select count(*) from control_images") == 0


# --- once by content ----------------------------------------------------------------------------------------------


def test_the_same_file_of_a_user_is_decoded_and_stored_once_and_counts_once(studio, far_end, server, monkeypatch):
    url = serve(server, response(MINE))
    decoded, make = [], control_images.control_map_of

    def counted(data, decode, *, side):
        decoded.append(data)
        return make(data, decode, side=side)

    monkeypatch.setattr(control_images, "control_map_of", counted)
    one, other = a_user(studio.database), a_user(studio.database)
    for user in (one, one, other):
        assert work(studio, asked(studio, user, poses=1, control_image=url)) == "completed"

    assert len(decoded) == 2
    objects = rows(studio.database, "select * from objects where key like 'controls/%%'")
    assert sorted(each["user_id"] for each in objects) == sorted([one, other])
    for user in (one, other):
        used = value(studio.database, "select bytes from space_by_user where user_id = %s", user)
        assert account(studio.database, user)["storage_used"] == used


def test_what_was_read_holds_for_all_later_attempts(studio, far_end, server):
    url = serve(server, response(MINE))
    far_end.before = lambda name, _: (_ for _ in ()).throw(CallUnknown("lost")) if name == "look" else None
    lease = asked(studio, poses=1, control_image=url)
    with pytest.raises(BaseException, match="lost"):
        work(replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=0.2)), lease)
    far_end.before = lambda *_: None

    execute(studio.database, "update generations set not_before = now()")
    assert work(studio, taken_over(studio.database, lease.id)) == "completed"

    assert len(far_end.orders) == 1
    assert len(server.asked) == 1


# --- what cannot be used ------------------------------------------------------------------------------------------


def png(image):
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


UNUSABLE = {
    "one colour": (response(png(Image.new("RGB", (128, 128)))), "one colour only"),
    "alpha": (response(png(Image.new("RGBA", (128, 128)))), "alpha channel"),
    "a page": (response(b"<html></html>"), "no picture that is accepted here"),
    "gone": (response(b"", status=404), "the response was 404"),
    "too large": (response(b"x" * (10 * 2**20 + 1)), "more than 10485760 bytes"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_image_that_cannot_be_used_fails_its_poses_before_anything_is_paid(studio, far_end, server, name):
    answer, words = UNUSABLE[name]
    url = serve(server, answer)
    user = a_user(studio.database)
    before = account(studio.database, user)["credits_available"]
    lease = asked(studio, user, control_image=url)

    assert work(studio, lease) == "failed"

    poses = rows(studio.database, "select error_code, error_detail from pose_results")
    assert {pose["error_code"] for pose in poses} == {"control_unusable"}
    assert all(words in pose["error_detail"] and "secret" not in pose["error_detail"] for pose in poses)
    assert far_end.orders == []
    assert value(studio.database, "select count(*) from backend_calls") == 0
    assert account(studio.database, user)["credits_available"] == before
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", UNUSABLE)
def test_with_drop_the_maps_of_the_library_are_used_and_every_pose_says_so(studio, far_end, server, name):
    answer, words = UNUSABLE[name]
    url = serve(server, answer)

    assert work(replace(studio, control_missing="drop"), asked(studio, control_image=url)) == "completed"

    assert len({order.control.sha256 for order in far_end.orders}) == 2
    for (note,) in degraded(studio):
        assert note.startswith("control_image: left out, the maps of the library are used: ")
        assert words in note
    assert row(studio.database, "select is_left_out, object_id from control_images") == {
        "is_left_out": True, "object_id": None,
    }  # fmt: skip


def test_a_server_that_fails_now_and_then_is_asked_again(studio, server):
    url = serve(server, response(b"", status=503), response(b"", status=500), response(MINE))

    assert work(studio, asked(studio, control_image=url)) == "completed"
    assert len(server.asked) == 3


def test_a_private_address_is_never_read(studio, far_end, server):
    url = serve(server, response(MINE))
    lease = asked(studio, control_image=url)

    assert work(replace(studio, fetcher=Fetcher()), lease) == "failed"

    (detail,) = {each["error_detail"] for each in rows(studio.database, "select error_detail from pose_results")}
    assert "its port is" in detail or "not public" in detail
    assert server.asked == []
    assert far_end.orders == []


def test_an_upload_that_is_deleted_meanwhile_fails_the_poses(studio, far_end):
    user = a_user(studio.database)
    upload = uploaded(studio, user)
    lease = asked(studio, user, control_image=str(upload))
    assert value(studio.database, "select delete_upload(%s)", upload)

    assert work(studio, lease) == "failed"
    assert {each["error_code"] for each in rows(studio.database, "select error_code from pose_results")} == {
        "control_unusable"
    }
    assert far_end.orders == []


def test_a_map_that_does_not_fit_into_the_space_of_its_user_fails_the_poses(studio, far_end, server):
    url = serve(server, response(MINE))
    user = a_user(studio.database)
    lease = asked(studio, user, control_image=url)
    execute(
        studio.database,
        "update accounts set storage_limit = storage_used + storage_reserved where user_id = %s",
        user,
    )

    assert work(studio, lease) == "failed"
    assert {each["error_code"] for each in rows(studio.database, "select error_code from pose_results")} == {
        "quota_exceeded"
    }
    assert far_end.orders == []


@pytest.mark.parametrize("missing", ["fail", "drop"])
def test_a_map_of_the_library_that_cannot_be_read_fails_its_pose_or_is_left_out(studio, far_end, monkeypatch, missing):
    def unreadable(studio, pose, kind):
        if pose == SLUGS[0]:
            raise ControlUnusable("it is damaged")
        return control_map(studio, pose, kind)

    monkeypatch.setattr(pictures, "control_map", unreadable)

    assert work(replace(studio, control_missing=missing), asked(studio)) == (
        "partial" if missing == "fail" else "completed"
    )

    first, second = rows(studio.database, "select * from pose_results order by position")
    assert (second["status"], second["control_kind"], second["degraded"]) == ("completed", "openpose", [])
    if missing == "fail":
        assert (first["error_code"], first["error_detail"]) == ("control_unusable", "it is damaged")
        assert len(far_end.orders) == 1
    else:
        assert first["control_kind"] is None
        assert first["degraded"] == ["control_kind: left out, the picture may show another pose: it is damaged"]
        (order,) = [order for order in far_end.orders if order.recipe.pose == SLUGS[0]]
        assert (order.control, order.recipe.control_kind) == (None, None)


# --- intake -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ftp://maps.example/a.png", "cannot be read"),
        ("http://127.0.0.1/a.png", "its address is not public"),
        ("http://169.254.169.254/latest", "its address is not public"),
        ("https://maps.example:8443/a.png", "its port is 8443"),
        ("https://user:word@maps.example/a.png", "cannot be read"),
        ("poses/x.png", "cannot be read"),
        ("\x01", "cannot be read"),
        ("a0000000-0000-4000-8000-000000000009", "The user has no completed upload"),
    ],
)
def test_what_could_never_be_read_is_refused_at_intake(database, monkeypatch, source, words):
    monkeypatch.undo()
    generation = a_request(database, a_user(database), backend=NAME, control_image=source)

    intake.take_in(
        database, default_backend=NAME, prices=Prices(), policy=read_policy(None), draw_seed=lambda: 1, limit=10,
        backends={NAME: DESCRIPTION},
    )  # fmt: skip

    ended = result(database, generation)
    assert (ended["status"], ended["error_code"]) == ("failed", "invalid_request")
    assert words in ended["error_detail"]


def test_an_upload_of_another_user_is_refused_as_if_it_were_not_there(studio):
    theirs = uploaded(studio, a_user(studio.database))
    generation = a_request(studio.database, a_user(studio.database), backend=NAME, control_image=str(theirs).upper())

    take_in(studio.database)
    assert status(studio.database, generation) == "failed"
    assert "The user has no completed upload" in result(studio.database, generation)["error_detail"]
