"""What may be shown of a value that is about to be logged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.redaction import HIDDEN, redacted

CANARY = "hunter2hunter2"


def shown(value: object, name: str = "value") -> object:
    return redacted({name: value}, with_prompts=False)[name]


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "secret_access_key",
        "storage_signing_secret",
        "password",
        "PGPASSWORD",
        "access_key_id",
        "key_id",
        "api_key",
        "apiKey",
        "Authorization",
        "set-cookie",
        "session_token",
        "x-amz-security-token",
        "token",
        "credentials",
        "X-Amz-Signature",
    ],
)
def test_a_field_with_the_name_of_a_secret_is_hidden(name: str) -> None:
    assert shown(CANARY, name) == HIDDEN
    assert shown([CANARY], name) == HIDDEN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", 7),  # the fencing token of a claim
        ("key", "poses/g1/p1-0123456789ab.png"),
        ("credits", 30),
        ("password", None),
        ("has_secret", True),
        ("keypoints", [1, 2]),
        ("store", "local"),
    ],
)
def test_what_an_operator_needs_stays(name: str, value: object) -> None:
    assert shown(value, name) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://app:hunter2hunter2@db:5432/posegen", "postgresql://app:***@db:5432/posegen"),
        ("redis://:hunter2hunter2@cache/0 is down", "redis://:***@cache/0 is down"),
        ("postgresql://app:hunter2@hunter2@db/posegen", "postgresql://app:***@db/posegen"),
        ("postgresql+psycopg2://app:hunter2hunter2@/db?host=/run", "postgresql+psycopg2://app:***@/db?host=/run"),
        ("host=db password=hunter2hunter2 user=app", "host=db password=*** user=app"),
        ("host=db password='hunter2 hunter2' user=app", "host=db password=*** user=app"),
        ("AWS_SECRET_ACCESS_KEY=hunter2hunter2", "AWS_SECRET_ACCESS_KEY=***"),
        (
            "https://r2.example/b/k?X-Amz-Signature=hunter2hunter2&X-Amz-Expires=60",
            "https://r2.example/b/k?X-Amz-Signature=***&X-Amz-Expires=60",
        ),
        ("Settings(secret_access_key='hunter2hunter2', bucket='b')", "Settings(secret_access_key=***, bucket='b')"),
        ('{"secret_access_key": "hunter2hunter2", "bucket": "b"}', '{"secret_access_key": ***, "bucket": "b"}'),
        ("{'password': 'hunter2hunter2'}", "{'password': ***}"),
        ("Authorization: Bearer hunter2hunter2", "Authorization: Bearer ***"),
        ("sent with bearer hunter2hunter2", "sent with bearer ***"),
        (f"401 for psg_7hNq2kT9wXb4_{'0' * 49}: revoked", "401 for psg_7hNq2kT9wXb4_***: revoked"),
        (f"GET http://127.0.0.1:8080/login/{'0' * 43} 303", "GET http://127.0.0.1:8080/login/*** 303"),
        (f"GET /v1/shared/{'0' * 43} 200", "GET /v1/shared/*** 200"),
    ],
)
def test_a_secret_inside_a_text_is_hidden_and_the_rest_stays(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/media/poses/a@b.png",
        "https://user@example.com/path",
        "the token is 7",
        "where token=7 and status='running'",
        "no password was given",
        "3 poses: 2 completed, 1 failed",
    ],
)
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@dataclass
class Recipe:
    prompt: str
    seed: int


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": CANARY},
        {"negative_prompt": CANARY},
        {"prompt_used": CANARY},
        {"prompts": [CANARY]},
        {"recipe": {"prompt": CANARY, "seed": 1}},
        {"poses": [{"prompt": {"text": CANARY}}]},
        {"recipe": Recipe(CANARY, 1)},
        {"body": f'{{"prompt": "{CANARY} \\" more", "seed": 1}}'},
    ],
)
def test_prompts_are_left_out_unless_asked_for(fields: dict[str, object]) -> None:
    assert CANARY not in str(redacted(fields, with_prompts=False))
    assert CANARY in str(redacted(fields, with_prompts=True))


def test_facts_about_a_prompt_stay() -> None:
    fields = {"prompt_characters": 12, "has_prompt": True, "prompt": None, "prompter": "x"}

    assert redacted(fields, with_prompts=False) == fields


def test_values_come_out_as_plain_data() -> None:
    identity = UUID("0b7e3f0e-63a5-4d27-9f0c-1d2f6a8f5b11")

    assert redacted({"id": identity, "path": Path("/data"), "ids": (identity,)}, with_prompts=False) == {
        "id": str(identity),
        "path": "/data",
        "ids": [str(identity)],
    }


def test_a_value_that_contains_itself_ends_somewhere() -> None:
    loop: dict[str, object] = {"password": CANARY}
    loop["again"] = loop

    assert CANARY not in str(redacted(loop, with_prompts=False))


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=10), nested, max_size=4))
def test_anything_can_be_logged_with_a_secret_beside_it(fields: dict[str, object]) -> None:
    safe = redacted({**fields, "inside": {"deep": [fields, {"password": CANARY}]}}, with_prompts=False)

    assert CANARY not in repr(safe)


@pytest.mark.parametrize(
    "part", ["a", "token", "secret-", "secret=", "secret='", "'secret':'", "://a:", "authorization ", "prompt_"]
)
def test_a_long_text_stays_cheap(part: str) -> None:
    """The time grows with the length, not with its square: ten times the text in far less than a hundred times."""
    worth_searching = "= ' \" :// bearer authorization prompt psg_ /login/ /shared/ "

    def seconds(text: str) -> float:
        started = time.process_time()
        shown(worth_searching + text)
        return time.process_time() - started

    short = min(seconds(part * 3_000) for _ in range(3))
    assert seconds(part * 30_000) < 40 * max(short, 0.001)
