"""The content policy on the command line: a refused prompt, and a file that cannot be used."""

from __future__ import annotations

from tests.builders import take_in, value


def test_a_prompt_of_the_command_is_refused_like_any_other(posegen, database):
    posegen("submit", "--prompt", "a n4ked person")
    take_in(database)

    told = posegen("show", value(database, "select id from generations"), width=200)

    assert "Category: sexual." in told.out
    assert "inappropriate_prompt" in posegen("status", "--json").out


def test_a_file_that_cannot_be_used_stops_every_command_with_line_value_and_fix(posegen, tmp_path, monkeypatch):
    file = tmp_path / "own.toml"
    file.write_text('real_person = ["Jane Q. Example"]\nviolence = ["{our} rival*"]\n')
    monkeypatch.setenv("POSEGEN_POLICY_FILE", str(file))

    answer = posegen("status", width=250)

    assert answer.code == 1
    assert f"{file}, line 2: '{{our}} rival*': there is no list 'our' in [words]: add it" in answer.err
    assert "Traceback" not in answer.err
