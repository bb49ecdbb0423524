"""What is wrong with a body, in pydantic's words."""

from __future__ import annotations

import pytest

from tests.wires.fields import Field, problems

FIELDS = {
    "prompt": Field("string", required=True, most=10),
    "seed": Field("integer"),
    "scale": Field("number", least=0, most=1),
    "mode": Field("string", choices=("pose", "depth")),
    "size": Field("string|object", choices=("square",), fields={"width": Field("integer", required=True)}),
    "controls": Field("array", least=1, fields={"url": Field("string", required=True)}),
    "checked": Field("boolean"),
}


def found(**body):
    return [(".".join(map(str, each.loc)), each.type) for each in problems({"prompt": "a", **body}, FIELDS)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"seed": 2**60},
        {"scale": 1},
        {"scale": 0.5},
        {"mode": "pose"},
        {"size": "square"},
        {"size": {"width": 4}},
        {"controls": [{"url": "x"}]},
        {"checked": False},
        {"seed": None},
    ],
)
def test_a_documented_body_has_no_problems(body):
    assert found(**body) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"promt": "x"}, ("body.promt", "extra_forbidden")),
        ({"prompt": None}, ("body.prompt", "missing")),
        ({"prompt": 4}, ("body.prompt", "string_type")),
        ({"prompt": "a" * 11}, ("body.prompt", "less_than_equal")),
        ({"seed": 1.5}, ("body.seed", "int_type")),
        ({"seed": "1"}, ("body.seed", "int_type")),
        ({"seed": True}, ("body.seed", "int_type")),
        ({"scale": 1.1}, ("body.scale", "less_than_equal")),
        ({"scale": -0.1}, ("body.scale", "greater_than_equal")),
        ({"mode": "canny"}, ("body.mode", "literal_error")),
        ({"size": "round"}, ("body.size", "literal_error")),
        ({"size": {"height": 4, "width": 4}}, ("body.size.height", "extra_forbidden")),
        ({"controls": []}, ("body.controls", "greater_than_equal")),
        ({"controls": [{"url": "x"}, {}]}, ("body.controls.1.url", "missing")),
        ({"controls": ["x"]}, ("body.controls.0", "dict_type")),
        ({"checked": "yes"}, ("body.checked", "bool_type")),
    ],
)
def test_each_problem_is_named(body, problem):
    assert problem in found(**body)


def test_a_body_that_is_no_object_is_one_problem():
    assert [each.type for each in problems([1], FIELDS)] == ["dict_type"]
