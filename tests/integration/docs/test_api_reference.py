"""`docs/reference/api.md` names the routes, scopes, codes and limits that the API has."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from posegen.access.callers import DEFAULT_SCOPES, Kind, Scope
from posegen.access.rates import AT_ONCE, REQUESTS_A_MINUTE
from posegen.error_codes import ErrorCode
from posegen.generations.single_poses import Outcome
from posegen.web import problems
from posegen.web.api import metrics, sessions
from posegen.web.app import PREFIX, ROOMS
from posegen.web.gate import LARGEST_BODY
from posegen.web.openapi import document
from posegen.web.rooms import scope_of
from tests.documents import ROOT, names_in, page

PAGE = page("docs/reference/api.md")


@pytest.fixture(scope="module")
def app():
    app = FastAPI(openapi_url=None)
    for room in ROOMS:
        room.add_to(app, PREFIX)
    for room in (sessions.pages, metrics.pages):
        room.add_to(app, "")
    return app


def routes_of(app):
    for route in app.routes:
        for method in getattr(route, "methods", None) or ["GET"]:
            yield f"{method} {route.path}", route


def test_the_routes_and_scopes_are_those_of_the_application(app):
    listed = {row["method and path"]: row["scope"] for row in PAGE.rows("method and path")}

    assert listed == {name: scope_of(route).value for name, route in routes_of(app)}


def test_a_route_succeeds_with_the_status_of_the_page(app):
    listed = {row["method and path"]: row["response"][:3] for row in PAGE.rows("method and path")}
    found = {
        name: str(route.status_code or 200)
        for name, route in routes_of(app)
        if isinstance(route, APIRoute) and route.path.startswith(PREFIX)
    }

    assert found.items() <= listed.items()


def test_the_queries_are_those_of_the_document(app):
    listed = {row["method and path"]: row["query"] for row in PAGE.rows("method and path")}
    for path, operations in document(app)["paths"].items():
        for method, operation in operations.items():
            names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            assert listed[f"{method.upper()} {path}"] == ", ".join(names)


def codes_of_the_code():
    """Every code of a problem with its statuses, but for error codes of requests that get 422 by default."""
    found = {(code, status) for _, status, code in problems._STATUS}
    found |= {(str(code), status) for code, status in problems._REFUSALS.items()}
    found |= {(code, status) for status, (code, _) in problems._BY_STATUS.items()}
    found |= {(outcome.value, 409) for outcome in Outcome if outcome not in {Outcome.DONE, Outcome.UNKNOWN}}
    for file in (ROOT / "posegen" / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem":
                status, code = node.args[:2]
                if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                    found.add((code.value, status.value))
    return found


def test_the_codes_of_problems_are_those_of_the_code():
    listed = {
        (row["code"], int(status)) for row in PAGE.rows("code") if "status" in row for status in names_in(row["status"])
    }

    assert listed - {("refused", 400)} == codes_of_the_code()
    assert all(HTTPStatus(status) for _, status in listed)
    assert {code for code, _ in listed} & set(ErrorCode) >= {str(code) for code in problems._REFUSALS}


def test_the_roles_have_the_scopes_of_the_page():
    user = DEFAULT_SCOPES[Kind.USER]
    for row in PAGE.rows("role"):
        given = {"all": set(Scope), "those of a user": user}
        scopes = set().union(*(given.get(each) or {Scope(each)} for each in names_in(row["default scopes"])))
        assert scopes == DEFAULT_SCOPES[Kind(row["role"])]


def test_the_numbers_of_the_page_are_those_of_the_code():
    assert f"{REQUESTS_A_MINUTE} a minute, {AT_ONCE} at once" in PAGE.section("Rates")
    assert f"{LARGEST_BODY:,} bytes" in PAGE.section("Browsers and hosts")


def test_repeated_responses_are_those_of_the_page():
    """Which modules keep responses is seen by their parameter `once`, and requests by `key_of`."""
    said = PAGE.section("Repeating a request")
    code = {path.stem: path.read_text() for path in (ROOT / "posegen" / "web" / "api").glob("*.py")}
    routes = [
        route for text in code.values() for route in re.findall(r'@room\.post\("/([^"]+)"[^@]*?once: DoneOnce', text)
    ]

    assert len(routes) == 9
    assert all(f"`{route}`" in said for route in routes)
