"""What a service gets to run under supervisord."""

import subprocess

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils import revisions, supervised

from tests.support.service_views import inputs

RENDERED = revisions.Rendered(
    unit="@REVISION@ @AFTER@\n@LIMITS@",
    gunicorn="conf",
    logging="logs",
    migration="migrate",
    supervised=supervised.Rendered(config="@REVISION@", program="users@@NUMBER@", start="@REVISION@/x"),
)


def files(**changes):
    found = revisions.entries(inputs(manager="supervisord", **changes), RENDERED, "rev", " a.service")
    return {entry["path"].rpartition("/")[2]: entry["content"] for entry in found["files"]}


def test_files_of_a_revision():
    found = files()
    assert found["supervisord.conf"] == "rev" and found["start"] == "rev/x"
    assert (found["program-1.conf"], found["program-2.conf"]) == ("users@1", "users@2")
    assert found["unit"] == f"rev  a.service\nMemoryMax={(2 * 256 + 64) * 2**20}"
    assert found["instance-2"] == 'PORT="5001"\n'
    assert '"manager": "supervisord"' in found["manifest.json"]


def test_limits_are_those_of_all_instances():
    each = {"memory": "1G", "cpu": "50%", "tasks": 10}
    assert supervised.limits(each, 3).splitlines() == [
        f"MemoryMax={3 * 2**30 + 64 * 2**20}",
        "CPUQuota=150%",
        "TasksMax=38",
    ]
    assert supervised.limits({"memory": None, "cpu": None, "tasks": None}, 3) == ""


@pytest.mark.parametrize("changes", [{"instances": 3}, {"limits": {"memory": "1G", "cpu": None, "tasks": 2}}])
def test_what_the_unit_takes_over_while_it_runs_is_no_new_revision(changes):
    first = revisions.revision_id(inputs(manager="supervisord"), RENDERED)
    assert revisions.revision_id(inputs(manager="supervisord", **changes), RENDERED) == first


def test_revision_changes_with_what_a_program_starts_by():
    other = revisions.Rendered(
        RENDERED.unit, "conf", "logs", "migrate", supervised.Rendered("@REVISION@", "users@@NUMBER@", "y")
    )
    item = inputs(manager="supervisord")
    assert revisions.revision_id(item, RENDERED) != revisions.revision_id(item, other)


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        ("always", ("true", 1, 3, True)),
        ("unless-stopped", ("true", 1, 3, True)),
        ("on-failure", ("unexpected", 1, 3, True)),
        ("on-failure:5", ("unexpected", 1, 5, False)),
        ("no", ("false", 0, 0, False)),
    ],
)
def test_restart_policies(policy, settings):
    assert tuple(supervised.settings(policy).values()) == settings


def test_commands_reach_the_program_word_by_word(tmp_path):
    words = ["/usr/bin/printf", "%s|", "a b", "$HOME", "it's", '"', " ;x", "#", "\\", "%(x)s", "`id`"]
    shell = inputs(wsgi=None, port=None, command=words, manager="supervisord").context()["shell"]
    done = subprocess.run(["/bin/sh", "-c", f"exec {shell}"], capture_output=True, text=True, check=True)
    assert done.stdout.split("|")[:-1] == words[2:]
