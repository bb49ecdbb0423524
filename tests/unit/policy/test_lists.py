"""The lists of the content policy, and the errors of an operator's file."""

from __future__ import annotations

import pytest

from posegen.errors import SettingsInvalid
from posegen.policy.lists import LISTS, read_lists
from posegen.policy.policy import Category, Policy, read_policy


def own(tmp_path, text):
    file = tmp_path / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_posegen_brings_phrases_for_every_list_but_names():
    phrases = read_lists(None).phrases

    assert {name for name in LISTS if not phrases[name]} == {"real_person"}


def test_an_operator_adds_names_words_and_exceptions(tmp_path):
    file = own(
        tmp_path,
        """
        real_person = ["Jane Q. Example"]
        sexual = ["flurbing", "{their} glorp*"]
        harmless = ["flurbing machine*"]
        [words]
        their = ["their", "our own"]
        """,
    )
    policy = read_policy(file)

    assert policy.category_of("Portrait of JANE Q EXAMPLE") is Category.REAL_PERSON
    assert policy.category_of("two people flurbing") is Category.SEXUAL
    assert policy.category_of("show our own glorpy things") is Category.SEXUAL
    assert policy.category_of("new flurbing machines in a shop") is None
    assert policy.category_of("a naked person") is Category.SEXUAL


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('sexual = ["one",\n  "{nothing} two"]', "line 2: '{nothing} two': there is no list 'nothing' in [words]"),
        ('\n\nreal_persons = ["Jane"]', "line 3: 'real_persons': there is no list of this name; known: sexual,"),
        ('hate = [\n"fine",\n"a (b|c)+ d{2}"]', "line 3: 'a (b|c)+ d{2}': 'd{2}' is no word, {list} or _"),
        ("hate = [5]", "line 1: 5: this is no text: write it between quotation marks"),
        ('hate = "word"', "line 1: 'word': this is no list"),
        ('hate = [""]', "line 1: '': it is empty: remove it"),
        ('hate = ["..."]', "'...' has no letter or digit"),
        ('hate = ["_ word"]', "it has to begin with a word or a {list}"),
        ('[words]\nx = ["{y}"]', "line 2: '{y}': there is no list 'y'"),
        ('words = ["x"]', "line 1: 'words': there is no list of this name"),
        (f'hate = ["{"x" * 201}"]', "it has 201 characters; 200 are the most"),
        ("hate = [", "is no TOML: "),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line_and_the_fix(tmp_path, text, says):
    file = own(tmp_path, text)

    with pytest.raises(SettingsInvalid) as invalid:
        read_lists(file)

    assert str(file) in str(invalid.value)
    assert says in str(invalid.value)


def test_every_problem_of_a_file_is_named_at_once(tmp_path):
    with pytest.raises(SettingsInvalid) as invalid:
        read_lists(own(tmp_path, 'hate = [5, "{x}"]\nmore = []'))

    assert len(invalid.value.problems) == 3


def test_a_file_that_is_not_there_and_one_that_is_no_text_are_named(tmp_path):
    with pytest.raises(SettingsInvalid, match=r"No such file or directory\. Correct POSEGEN_POLICY_FILE"):
        read_lists(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match="is no UTF-8 text"):
        read_lists(tmp_path / "binary.toml")


def test_an_expression_of_an_operator_is_taken_as_words(tmp_path):
    policy = Policy(read_lists(own(tmp_path, 'hate = ["(xq+)+zz"]')))

    assert policy.category_of("xq" * 900) is None
    assert policy.category_of("xq zz") is Category.HATE
