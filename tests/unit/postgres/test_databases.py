"""From what is there to what is wanted: the statements in between, and nothing when there is no difference."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_databases as plans
from ansible_collections.tandem.platform.plugins.module_utils import postgres_scram as scram

INSIDE = (True, True, False, True, plans.DEFAULT_PRIVILEGES, 0)


def answer(*rows: tuple[Any, ...]) -> plans.Ask:
    """A server that gives this answer."""

    def ask(sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        return list(rows)

    return ask


def statements(steps: list[plans.Step]) -> str:
    return "; ".join(statement for step in steps for statement in step.statements)


def test_a_new_role_gets_a_verifier_and_no_password() -> None:
    made = statements(plans.role_steps(answer(), "users", "secret", 20))
    assert made.startswith('create role "users" login connection limit 20 password ')
    assert "SCRAM-SHA-256$" in made
    assert "secret" not in made


def test_a_role_as_wanted_is_left_alone() -> None:
    assert plans.role_steps(answer((True, 20, scram.make_verifier("secret"))), "users", "secret", 20) == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ((False, 20, scram.make_verifier("secret")), "privileges of role users"),
        ((True, -1, scram.make_verifier("secret")), "connection limit of role users"),
        ((True, 20, scram.make_verifier("other")), "password of role users"),
        ((True, 20, None), "password of role users"),
    ],
)
def test_each_difference_of_a_role_is_one_step(row: tuple[Any, ...], what: str) -> None:
    steps = plans.role_steps(answer(row), "users", "secret", 20)
    assert [step.what for step in steps] == [what]


def test_a_new_database_is_closed_to_the_public() -> None:
    made = statements(plans.database_steps(answer(), "users", "users_owner", "users", True))
    assert 'create database "users" owner "users_owner"' in made
    assert 'revoke all on database "users" from public' in made
    assert 'grant connect on database "users" to "users"' in made


def test_a_database_as_wanted_is_left_alone() -> None:
    assert plans.database_steps(answer(("users_owner", 0, True)), "users", "users_owner", "users", True) == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (("postgres", 0, True), "owner of database users"),
        (("users_owner", 2, True), "privileges on database users"),
        (("users_owner", 0, False), "privileges on database users"),
    ],
)
def test_each_difference_of_a_database_is_one_step(row: tuple[Any, ...], what: str) -> None:
    steps = plans.database_steps(answer(row), "users", "users_owner", "users", True)
    assert [step.what for step in steps] == [what]


def test_the_inside_as_wanted_is_left_alone() -> None:
    assert plans.inside_steps(answer(INSIDE), "users", "users_owner", "users") == []


def test_a_new_inside_gets_least_privilege() -> None:
    made = statements(
        plans.inside_steps(answer((False, False, True, False, 0, 1)), "users", "users_owner", "users")
    )
    assert "create schema if not exists tandem" in made
    assert "revoke all on schema public from public" in made
    assert 'grant usage on schema public to "users"' in made
    assert 'grant all on schema public to "users"' not in made
    assert 'grant select, insert, update, delete on tables to "users"' in made


def test_identifiers_and_strings_are_quoted() -> None:
    assert plans.name('a"b') == '"a""b"'
    assert plans.text("a'b") == "'a''b'"


def test_scripts_run_once_and_changes_are_told() -> None:
    paths = ["/p/sql/a.sql", "/p/sql/b.sql", "/p/sql/c.sql"]
    scripts = {path: path for path in paths}
    done = {"a.sql": plans.digest("/p/sql/a.sql"), "b.sql": plans.digest("something else")}
    assert plans.script_plan(done, paths, scripts) == (["/p/sql/c.sql"], ["b.sql"])


def test_scripts_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same file name"):
        plans.script_plan({}, ["/p/a.sql", "/q/a.sql"], {})


def test_what_is_no_longer_wanted_is_told_with_its_command() -> None:
    found = plans.left_over(answer(("old", "7 MB", "old_owner", ["old"])), ["users"])
    assert found[0]["database"] == "old"
    for word in ('drop database \\"old\\"', 'drop role \\"old_owner\\"', 'drop role \\"old\\"'):
        assert word in found[0]["to_remove_it_for_ever"]


def test_the_health_checks_role_loses_its_well_known_password() -> None:
    answers: Iterator[list[tuple[Any, ...]]] = iter([[(1,)], [(False,)], [(1,)], [(False,)]])
    steps = plans.cluster_steps(lambda sql, arguments: next(answers))
    assert "password null" in statements(steps)


def test_cluster_roles_as_wanted_are_left_alone() -> None:
    answers: Iterator[list[tuple[Any, ...]]] = iter([[(1,)], [(True,)], [(1,)], [(False,)]])
    assert plans.cluster_steps(lambda sql, arguments: next(answers)) == []


def test_the_guards_role_may_have_a_checkpoint_written() -> None:
    answers: Iterator[list[tuple[Any, ...]]] = iter([[(1,)], [(True,)], [], [(False,)]])
    steps = plans.cluster_steps(lambda sql, arguments: next(answers))
    assert [step.statements for step in steps] == [("grant pg_checkpoint to tandem_guard",)]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([(True, True)], []),
        ([(False, True)], ["grant pg_monitor to tandem_exporter"]),
        ([(True, False)], ["grant connect on database postgres to tandem_exporter"]),
        (
            [],
            [
                "create role tandem_exporter login connection limit 5",
                "grant pg_monitor to tandem_exporter",
                "grant connect on database postgres to tandem_exporter",
            ],
        ),
    ],
)
def test_the_exporters_role_may_read_statistics_only(rows: list[tuple[Any, ...]], wanted: list[str]) -> None:
    steps = plans.exporter_steps(lambda sql, arguments: rows)
    assert [statement for step in steps for statement in step.statements] == wanted
