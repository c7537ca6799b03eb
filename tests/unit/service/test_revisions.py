"""What a host gets for a service: environment, unit, revision."""

import itertools
import json

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils import revisions
from ansible_collections.tandem.platform.plugins.plugin_utils.revisions import (
    Rendered,
    RevisionError,
    after,
    entries,
    environment_text,
    exec_line,
    expected,
    log_settings,
    migration_entries,
    parse_environment,
    program,
    restart_settings,
    revision_id,
    units,
)

from tests.support.service_views import RELEASE, inputs, view

DATABASE = {
    "name": "users",
    "owner": "users_owner",
    "runtime": "users",
    "migrate": ["users", "migrate"],
    "init_command": None,
    "owner_dsn": "user=users_owner",
}


RENDERED = Rendered(unit="@REVISION@ @AFTER@", gunicorn="conf", logging="logs", migration="migrate")


def test_environment_files_are_read_as_compose_does():
    text = "# c\n\nA=1\nexport B=\"two words\"\nC='x'\nD=\nE=a=b\n F = no\n"
    with pytest.raises(RevisionError, match=r"common\.env:8 is not of the form NAME=value"):
        parse_environment(text, "common.env")
    good = text.replace(" F = no\n", "")
    assert parse_environment(good, "x") == {"A": "1", "B": "two words", "C": "x", "D": "", "E": "a=b"}


def test_wrong_environment_line_is_not_repeated_because_it_may_be_a_secret():
    with pytest.raises(RevisionError) as error:
        parse_environment("hunter2", "x.env")
    assert "hunter2" not in str(error.value)


def test_catalog_wins_over_files_and_later_files_over_earlier():
    files = {"a.env": "LOG_LEVEL=debug\nA=1\nB=1\n", "b.env": "B=2\n"}
    assert inputs(env_files=files).environment() == {"LOG_LEVEL": "info", "A": "1", "B": "2"}


def test_environment_text_expands_nothing():
    assert (
        environment_text({"B": 'a "b" $C `d` \\ %n', "A": ""}) == 'A=""\nB="a \\"b\\" \\$C \\`d\\` \\\\ %n"\n'
    )


def test_exec_line_is_literal():
    words = ["/bin/x", "a b", "100%", "$HOME", 'say "hi"', "back\\slash", "", "--x=y"]
    assert exec_line(words) == '/bin/x "a b" 100%% $$HOME "say \\"hi\\"" "back\\\\slash" "" --x=y'


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        ("no", ("no", 0, 0)),
        ("always", ("always", 0, 0)),
        ("unless-stopped", ("always", 0, 0)),
        ("on-failure", ("on-failure", 0, 0)),
        ("on-failure:3", ("on-failure", 600, 4)),
    ],
)
def test_restart_policies(policy, settings):
    assert tuple(restart_settings(policy).values()) == settings


def test_log_limits():
    assert log_settings({"max_size": "32m", "max_file": 5}) == {
        "max_size": "32M",
        "max_file": 5,
        "max_use": f"{32 * 5 * 1024}K",
    }


def test_command_must_be_of_the_release():
    assert program(["/bin/true", "x"], RELEASE, "command") == ["/bin/true", "x"]
    assert program(["users", "work"], RELEASE, "command") == [
        "/opt/tandem/services/users/releases/abc123/bin/users",
        "work",
    ]
    with pytest.raises(
        RevisionError, match=r"starts with 'user', which is no console script .* gunicorn, users"
    ):
        program(["user"], RELEASE, "command")


def test_web_application_needs_gunicorn_in_its_lock():
    with pytest.raises(RevisionError, match="the package that brings it to the lock"):
        inputs(release={**RELEASE, "scripts": {}}).context()


def test_service_without_port_and_command_is_refused():
    with pytest.raises(RevisionError, match="neither a port"):
        inputs(wsgi=None).context()


def test_context_of_a_worker():
    context = inputs(wsgi=None, port=None, command=["users", "work", "50%"]).context("rev", "")
    assert context["start"] == "/opt/tandem/services/users/releases/abc123/bin/users work 50%%"
    assert context["paths"]["revision"] == "/etc/tandem/services/users/revisions/rev"
    assert context["volumes"][0] == {"source": "/srv/a", "target": "/a", "read_only": True}
    assert context["volumes"][1]["read_only"] is False


def test_revision_changes_with_all_that_an_instance_starts_with():
    ids = [
        revision_id(inputs(), RENDERED),
        revision_id(inputs(credentials={"key": "a"}), RENDERED),
        revision_id(inputs(credentials={"key": "b"}), RENDERED),
        revision_id(inputs(environment={"LOG_LEVEL": "debug"}), RENDERED),
        revision_id(inputs(env_files={"x": "A=1"}), RENDERED),
        revision_id(inputs(port=5001), RENDERED),
        revision_id(inputs(), Rendered("other unit", "conf", "logs", "migrate")),
        revision_id(inputs(), Rendered(RENDERED.unit, "other conf", "logs", "migrate")),
    ]
    assert all(a != b for a, b in itertools.combinations(ids, 2))


def test_revision_does_not_change_with_what_needs_no_restart():
    same = [
        revision_id(inputs(), RENDERED),
        revision_id(inputs(instances=3), RENDERED),
        revision_id(inputs(depends_on=["products"]), RENDERED),
        revision_id(inputs(), Rendered(RENDERED.unit, "conf", "other log limits", "other migration")),
    ]
    assert len(set(same)) == 1


def test_after_names_every_local_instance():
    known = {
        "users": units(inputs(), "rev"),
        "mail": units(inputs(name="mail", manager="supervisord"), "rev"),
    }
    assert (
        after(view(depends_on=["users", "gone", "mail"]), known)
        == " users@1.service users@2.service mail@supervisord-rev.service"
    )


def by_path(found):
    return {entry["path"]: entry for entry in found["files"]}


def test_entries_hide_secrets_and_close_them_to_others():
    found = entries(
        inputs(credentials={"key": "s3cret"}, env_files={"x": "A=1"}), RENDERED, "rev", " x@1.service"
    )
    files = by_path(found)
    base = "/etc/tandem/services/users/revisions/rev"
    assert files[f"{base}/credentials/key"] == {
        "path": f"{base}/credentials/key",
        "content": "s3cret",
        "mode": "0600",
        "secret": True,
    }
    assert files[f"{base}/environment"]["mode"] == "0600" and files[f"{base}/environment"]["secret"]
    assert files[f"{base}/unit"]["content"] == "rev  x@1.service"
    assert files[f"{base}/instance-2"]["content"] == 'PORT="5001"\n'
    assert {"path": f"{base}/credentials", "mode": "0700"} in found["directories"]


def test_environment_without_files_is_shown_in_diffs():
    files = by_path(entries(inputs(), RENDERED, "rev", ""))
    assert files["/etc/tandem/services/users/revisions/rev/environment"]["secret"] is False


def test_owners_password_is_only_on_the_host_that_migrates():
    item = inputs(database=DATABASE, credentials={"database_password": "runtime"})
    here = by_path(migration_entries(item, RENDERED, "owner", True))
    base = "/etc/tandem/services/users/migration"
    assert here[f"{base}/credentials/database_password"]["content"] == "owner"
    assert 'DATABASE_DSN="user=users_owner"' in here[f"{base}/environment"]["content"]
    assert (
        '"migrate": [\n  "/opt/tandem/services/users/releases/abc123/bin/users"'
        in here[f"{base}/plan.json"]["content"]
    )
    elsewhere = migration_entries(item, RENDERED, "", False)
    assert elsewhere["files"] == [] and base in elsewhere["absent"]


def test_expected_is_what_instances_need():
    found = expected(inputs(database=DATABASE), "rev")
    assert found["revision"] == "rev" and found["release"] == "abc123" and found["migrates"]
    assert expected(inputs(port=None, wsgi=None, command=["users"]), "rev")["health"] is None
    assert revisions.migrates(view(database={**DATABASE, "migrate": None})) is False


SCHEDULE = {"calendar": "*-*-* 09:00:00", "run_on": "one_host", "missed": "run", "timeout_s": 300}
PART = {"name": "digest", "port": None, "wsgi": None, "command": ["users", "digest"], "release_of": "users"}


def timer(**changes):
    return inputs(**{**PART, "schedule": SCHEDULE, "database": DATABASE, "instances": 1, **changes})


def test_part_runs_the_release_of_its_service_with_its_own_settings():
    part = inputs(**PART)
    context = part.context("rev", "")
    assert context["start"] == "/opt/tandem/services/users/releases/abc123/bin/users digest"
    assert context["paths"]["release"] == "/opt/tandem/services/users/releases/abc123"
    assert context["paths"]["revision"] == "/etc/tandem/services/digest/revisions/rev"
    assert expected(part, "rev")["release_of"] == "users"


def test_part_does_not_own_the_database_it_uses():
    assert expected(inputs(**PART, database=DATABASE), "rev")["database"] is None


def test_timer_starts_its_runner_and_is_no_instance():
    found = timer()
    start = "/usr/bin/python3 -s -m timer_runner /etc/tandem/services/digest/revisions/rev/timer.json"
    assert found.context("rev", "")["start"] == start
    assert found.context()["calendar"] == "*-*-* 09:00:00 UTC"
    answer = expected(found, "rev")
    assert (answer["timer"], answer["instances"]) == (True, 0)
    files = by_path(entries(found, Rendered("u", None, "logs", "m", "the timer"), "rev", ""))
    base = "/etc/tandem/services/digest/revisions/rev"
    assert files[f"{base}/timer"]["content"] == "the timer"
    assert f"{base}/instance-1" not in files
    assert json.loads(files[f"{base}/timer.json"]["content"]) == {
        "job": "digest",
        "calendar": "*-*-* 09:00:00 UTC",
        "command": ["/opt/tandem/services/users/releases/abc123/bin/users", "digest"],
        "catch_up": True,
        "timeout_seconds": 300,
        "grace_seconds": 300,
        "lease_seconds": 60,
    }


@pytest.mark.parametrize(
    "changes", [{"database": None}, {"schedule": {**SCHEDULE, "run_on": "every_host"}}], ids=str
)
def test_timer_without_database_or_for_every_host_has_no_lease(changes):
    assert timer(**changes).timer_plan()["lease_seconds"] is None


@pytest.mark.parametrize(
    ("text", "calendar"),
    [
        ("daily", "daily UTC"),
        ("*-*-* 09:00 Europe/Moscow", "*-*-* 09:00 Europe/Moscow"),
        ("Mon *-*-* 09:00 UTC", "Mon *-*-* 09:00 UTC"),
    ],
)
def test_all_hosts_read_a_calendar_in_one_time_zone(text, calendar):
    assert timer(schedule={**SCHEDULE, "calendar": text}).context()["calendar"] == calendar


def test_revision_of_a_timer_changes_with_its_plan():
    one = Rendered("u", None, "logs", "m", "the timer")
    ids = {
        revision_id(timer(), one),
        revision_id(timer(), Rendered("u", None, "logs", "m", "other")),
        revision_id(timer(schedule={**SCHEDULE, "timeout_s": 10}), one),
        revision_id(timer(command=["users", "other"]), one),
    }
    assert len(ids) == 4
