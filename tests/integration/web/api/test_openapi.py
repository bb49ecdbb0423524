"""The OpenAPI document: committed, complete, and served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from posegen.access.callers import Scope
from posegen.web.rooms import Needs, scope_of
from tests.api_client import Api
from tests.openapi_file import COMMAND, OPENAPI_FILE, document, routes, text

METHODS = {"get", "post", "patch", "delete", "put"}
WITHOUT_A_BODY = {"204", "304", "307"}


@pytest.fixture(scope="module")
def operations() -> dict[str, dict[str, Any]]:
    """By method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_the_file_is_the_document_of_the_code() -> None:
    assert OPENAPI_FILE.read_text() == text(), f"run `{COMMAND}`"


def test_the_document_is_served_to_everybody(api: Api) -> None:
    served = api.as_nobody().get("/v1/openapi.json")

    assert served.json() == document()
    assert served.json()["openapi"].startswith("3.1")


def test_every_route_below_v1_is_in_the_document_with_its_scope(operations: dict[str, dict[str, Any]]) -> None:
    expected = {
        f"{method} {route.path}": scope_of(route).value
        for route in routes()
        if isinstance(route, APIRoute) and route.path.startswith("/v1") and route.path != "/v1/openapi.json"
        for method in route.methods
    }

    assert {name: operation["x-scope"] for name, operation in operations.items()} == expected
    for name, operation in operations.items():
        scope = operation["x-scope"]
        assert scope in {*Scope, *(need.value for need in Needs)}
        assert (scope in operation["description"]) or scope == Needs.NOTHING.value, name
        assert bool(operation.get("security")) is (scope != Needs.NOTHING.value), name


def test_every_operation_has_an_id_a_summary_and_typed_responses(operations: dict[str, dict[str, Any]]) -> None:
    ids = [operation["operationId"] for operation in operations.values()]

    assert len(set(ids)) == len(ids)
    for name, operation in operations.items():
        assert operation["summary"].endswith((".", "?")), name
        assert "\n\n" not in operation["summary"], name
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        assert "422" not in operation["responses"], name
        for status, response in operation["responses"].items():
            has_body = status not in WITHOUT_A_BODY
            assert has_body is bool(response.get("content")), f"{name} {status}"
            assert all(content.get("schema") for content in response.get("content", {}).values()), f"{name} {status}"


def test_no_schema_is_empty_and_every_property_has_a_type() -> None:
    untyped = [path for path, schema in _schemas(document()["components"]["schemas"]) if not _says_what(schema)]

    assert untyped == []


def _schemas(named: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in named.items():
        yield name, schema
        yield from ((f"{name}/{inner}", each) for inner, each in _schemas(schema.get("properties", {})))


def _says_what(schema: dict[str, Any]) -> bool:
    return bool(schema.keys() & {"type", "$ref", "anyOf", "oneOf", "enum", "const"})
