"""A host's services as systemd, /proc and the file system show them; systemctl and journalctl are stand-ins."""

import json
import os
import stat

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import (
    instances_timers,
    instances_verbs,
    service_cleanup,
    service_host,
    service_logs,
    service_migrations,
    service_releases,
    service_status,
)
from ansible_collections.tandem.platform.plugins.module_utils.instances_door import Door
from ansible_collections.tandem.platform.plugins.module_utils.instances_managers import Managers
from ansible_collections.tandem.platform.plugins.module_utils.instances_plan import Expected
from ansible_collections.tandem.platform.plugins.module_utils.instances_roll import (
    Clock,
    Roller,
    RollError,
    Times,
)
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd, SystemdError
from ansible_collections.tandem.platform.plugins.module_utils.service_migrations import Migration

# Knows units by a table; `start` and the like only note that they were called.
SYSTEMCTL = """#!{python}
import json, pathlib, sys
state = pathlib.Path({state!r})
units = json.loads((state / "units.json").read_text())
words = [word for word in sys.argv[1:] if not word.startswith("-")]
verb, names = words[0], words[1:]
if verb == "list-units":
    for name in units:
        print(name, "loaded active running", "x")
elif verb == "show" and "--value" in sys.argv:
    print(units.get(names[0], {{}}).get("ExecMainStatus", "0"))
elif verb == "show":
    for name in names:
        values = {{"Id": name, "ActiveState": "inactive", "SubState": "dead", "MainPID": "0", **units.get(name, {{}})}}
        print("".join(f"{{key}}={{value}}\\n" for key, value in values.items()))
else:
    with (state / "calls").open("a") as log:
        log.write(" ".join([verb, *names]) + "\\n")
    if units.get(names[0] if names else "", {{}}).get("refuses") == verb:
        sys.exit("Job failed")
"""


class Host:
    """Folders and units of a host."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "state"
        self.units_folder = folder / "units"
        self.proc = folder / "proc"
        for path in (
            self.state,
            self.units_folder / "multi-user.target.wants",
            self.proc,
            folder / "etc",
            folder / "opt",
        ):
            path.mkdir(parents=True)
        self.units = {}
        self.systemd = Systemd(self.units_folder, self.proc)
        self.managers = Managers(self.systemd)
        self.save()

    def save(self):
        (self.state / "units.json").write_text(json.dumps(self.units))

    def run(self, unit, revision, pid, **values):
        """Have an instance run."""
        running = {
            "ActiveState": "active",
            "SubState": "running",
            "MainPID": str(pid),
            "UnitFileState": "enabled",
        }
        self.units[f"{unit}.service"] = {**running, **values}
        (self.proc / str(pid)).mkdir(exist_ok=True)
        (self.proc / str(pid) / "environ").write_bytes(f"A=1\0TANDEM_REVISION={revision}\0B=2\0".encode())
        self.save()

    def deploy(self, service, revision, release="a1", instances=2, **more):
        """Put a service's settings into place."""
        base = self.folder / "etc" / service
        (base / "revisions" / revision).mkdir(parents=True, exist_ok=True)
        unit = f"ExecStart=/opt/tandem/services/{service}/releases/{release}/bin/x --config /revisions/{revision}/x\n"
        (base / "revisions" / revision / "unit").write_text(unit)
        manifest = {"name": service, "revision": revision, "release": release, "instances": instances}
        (base / "manifest.json").write_text(
            json.dumps(
                {**manifest, "user": f"svc-{service}", "port": None, "health": None, "volumes": [], **more}
            )
        )
        return unit

    def deploy_timer(self, name, revision, release="a1", **more):
        """Put a timer's settings into place."""
        self.deploy(name, revision, release, instances=0, timer=True, **more)
        (self.folder / "etc" / name / "revisions" / revision / "timer").write_text(
            f"calendar of {revision}\n"
        )
        return Expected.read(service_host.manifest(name))

    def timer(self, name, state="active", job="inactive", **more):
        """Have systemd know a timer."""
        self.units[f"{name}.timer"] = {
            "ActiveState": state,
            "SubState": "waiting",
            "UnitFileState": "enabled",
        }
        self.units[f"{name}.service"] = {"ActiveState": job, **more}
        self.save()

    def install(self, service, release, age=0):
        folder = self.folder / "opt/services" / service / "releases" / release
        folder.mkdir(parents=True)
        (folder / "RELEASE").write_text("{}")
        os.utime(folder / "RELEASE", (1000 - age, 1000 - age))

    def calls(self):
        log = self.state / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def roller(self):
        time = iter(range(10_000))
        clock = Clock(lambda: float(next(time)), lambda seconds: None)
        return Roller(self.managers, Door(self.folder / "no.sock"), Times(), clock)


@pytest.fixture
def host(tmp_path, monkeypatch):
    host = Host(tmp_path)
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(python=os.sys.executable, state=str(host.state)))
    journal = tmp_path / "bin/journalctl"
    journal.write_text('#!/bin/sh\necho "journal $*"\necho "-- cursor: s=1;i=2"\n')
    for path in (program, journal):
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(service_host, "SETTINGS", tmp_path / "etc")
    monkeypatch.setattr(service_migrations, "RUNTIME", tmp_path / "run")
    monkeypatch.setattr(service_cleanup, "JOURNALS", tmp_path / "journals")
    monkeypatch.setattr(service_releases, "ROOT", tmp_path / "opt")
    monkeypatch.setattr(instances_timers, "STATE", tmp_path / "timers")
    monkeypatch.setattr(instances_timers, "STAMPS", tmp_path / "stamps")
    monkeypatch.setattr(instances_timers, "VENDOR", tmp_path / "vendor")
    return host


def test_instances_are_found_wherever_they_are_left(host):
    host.run("users@1", "abc", 11, NRestarts="2", MemoryCurrent="1048576", CanReload="yes")
    (host.units_folder / "multi-user.target.wants/users@4.service").touch()
    (host.units_folder / "users@5.service").write_text("held")
    found = host.systemd.instances(["users", "orders"], {"users": 2, "orders": 1})
    assert [item.number for item in found["users"]] == [1, 2, 4, 5]
    assert [item.number for item in found["orders"]] == [1]
    first = found["users"][0]
    assert (first.revision, first.running, first.restarts, first.memory, first.can_reload) == (
        "abc",
        True,
        2,
        2**20,
        True,
    )
    assert not found["users"][1].running and found["users"][1].gone
    assert found["users"][3].held and not found["users"][3].gone


def test_revision_of_a_process_that_hides_it_is_unknown(host):
    host.run("users@1", "abc", 11)
    (host.proc / "11/environ").write_bytes(b"NOT_TANDEM_REVISION=x\0")
    assert host.systemd.instance("users", 1).revision == ""


def test_refusals_of_systemd_are_told(host):
    host.units["users@1.service"] = {"refuses": "stop"}
    host.save()
    with pytest.raises(SystemdError, match="Job failed"):
        host.systemd.call("stop", "--", "users@1.service")
    host.units["users@1.service"] = {"refuses": "reset-failed"}
    host.save()
    host.systemd.forget_failures("users@1.service")


def test_present_predicts_without_touching_anything(host):
    host.deploy("users", "new")
    result = instances_verbs.present(host.roller(), [Expected("users", "new", 1)], True)
    assert result["actions"] == ["install users@", "enable users@1", "start users@1"] and result["changed"]
    assert host.calls() == [] and host.systemd.template("users") is None


def test_present_holds_what_runs_and_reports_what_is_old(host):
    old = host.deploy("users", "aaa")
    host.systemd.write_template("users", old)
    host.run("users@1", "aaa", 11)
    new = host.deploy("users", "bbb")
    result = instances_verbs.present(host.roller(), [Expected("users", "bbb", 1)], False)
    assert result["restarts"] == ["restart users@1"]
    assert host.systemd.template("users") == new and host.systemd.held_text("users", 1) == old
    assert host.calls() == ["daemon-reload"]


def test_present_changes_nothing_when_all_is_well(host):
    host.systemd.write_template("users", host.deploy("users", "abc"))
    host.run("users@1", "abc", 11)
    result = instances_verbs.present(host.roller(), [Expected("users", "abc", 1)], False)
    assert result == {"changed": False, "actions": [], "restarts": []}
    assert host.calls() == []


def test_revision_that_was_not_placed_is_an_error(host):
    with pytest.raises(RollError, match="revision abc of users is not on this host"):
        instances_verbs.present(host.roller(), [Expected("users", "abc", 1)], False)


def test_stop_and_reload_act_on_what_runs(host):
    host.run("users@1", "abc", 11)
    users = Expected("users", "abc", 2)
    assert instances_verbs.stopped(host.roller(), [users], False)["actions"] == ["stop users@1"]
    assert host.calls() == ["stop users@1.service"]
    with pytest.raises(RollError, match="users can't reload"):
        instances_verbs.reloaded(host.roller(), [users], True)
    assert instances_verbs.restarted(host.roller(), [users], True)["actions"] == ["restart users@1"]
    assert instances_verbs.started(host.roller(), [users], True)["actions"] == [
        "enable users@2",
        "start users@2",
    ]


def test_manifest_of_an_unknown_service_names_the_known(host):
    host.deploy("users", "abc")
    with pytest.raises(
        service_host.HostError, match=r"orders is not deployed on this host \(deployed: users\)"
    ):
        service_host.manifest("orders")


def test_only_one_run_changes_a_host(tmp_path):
    lock = tmp_path / "lock"
    with service_host.exclusive(lock):
        second = service_host.exclusive(lock, patience=0.3)
        with pytest.raises(service_host.HostError, match="another run"):
            second.__enter__()
    with service_host.exclusive(lock):
        pass


def test_unused_revisions_and_releases(host):
    for number, release in enumerate(["a1", "a2", "a3", "a4", "a5", "a6"]):
        host.install("users", release, age=number)
    for revision, release in (("aaa", "a6"), ("bbb", "a2"), ("ccc", "a1"), ("ddd", "a3")):
        unit = host.deploy("users", revision, release)
        if revision == "ccc":
            host.systemd.write_template("users", unit)
        if revision == "bbb":
            host.systemd.hold("users", 2, unit)
    host.deploy("users", "ccc", "a1")
    host.run("users@1", "aaa", 11)  # runs the oldest revision
    host.run("users@2", "bbb", 12)  # is held
    found = service_cleanup.unused(["users"], host.managers, 1)
    base = host.folder
    # Used: aaa with a6 (runs), bbb with a2 (held), ccc with a1 (deployed). Kept: the newest other release, a3.
    assert found == [
        base / "etc/users/revisions/ddd",
        base / "opt/services/users/releases/a4",
        base / "opt/services/users/releases/a5",
    ]


def test_nothing_is_removed_while_a_process_does_not_tell_what_it_is(host):
    host.install("users", "a1")
    host.deploy("users", "aaa", "a1")
    host.deploy("users", "bbb", "a1")
    host.run("users@1", "", 11)
    (host.proc / "11/environ").write_bytes(b"")
    assert service_cleanup.unused(["users"], host.managers, 0) == []


def test_removed_service_leaves_its_data_and_says_so(host):
    host.install("users", "a1")
    host.systemd.write_template(
        "users", host.deploy("users", "aaa", volumes=["/srv/pictures:/pictures:rw"], database="users_db")
    )
    host.run("users@1", "aaa", 11)
    (host.units_folder / "users-migrate.service").touch()
    (host.folder / "journals/1234.users").mkdir(parents=True)
    assert service_cleanup.surplus_services(["orders"]) == ["users"]
    removal = service_cleanup.remove_service("users", host.roller())
    assert removal.kept == [
        "user svc-users (to remove it: userdel svc-users)",
        "volume /srv/pictures",
        "database users_db (to remove it, on the primary: drop database users_db)",
        f"logs in {host.folder}/journals/1234.users (to remove them: rm -r {host.folder}/journals/1234.users)",
    ]
    assert "stop users@1.service" in host.calls() and "disable users@1.service" in host.calls()
    assert not (host.folder / "etc/users").exists() and not (host.folder / "opt/services/users").exists()
    assert list(host.units_folder.glob("users*")) == []


def test_rows_tell_what_runs(host):
    host.deploy("users", "bbb", "a2", instances=1)
    host.deploy("users", "aaa", "a1", instances=1)
    host.run("users@1", "bbb", 11, MemoryCurrent=str(5 * 2**20), NRestarts="1")
    (first,) = service_status.rows(["users"], host.managers)
    assert (first["revision"], first["release"], first["memory"]) == ("bbb", "a2", "5 MiB")
    assert first["note"] == "out of date, deployed is aaa, started again 1 times"


def test_log_lines_are_of_the_services_own_journal(host):
    lines, end = service_logs.read("users", 7)
    assert "--lines=7 --namespace=+users --unit=users@* --unit=users-migrate --unit=users.service" in lines[0]
    assert (len(lines), end) == (1, "s=1;i=2")


def test_log_lines_go_on_where_they_ended(host):
    (line,), _ = service_logs.read("users", 7, after="s=1;i=2")
    assert "--after-cursor=s=1;i=2" in line
    assert "--lines" not in line


def test_an_unreadable_journal_is_an_error(host):
    (host.folder / "bin/journalctl").write_text("#!/bin/sh\necho 'no such namespace' >&2\nexit 1\n")
    with pytest.raises(service_logs.LogError, match="no such namespace"):
        service_logs.read("users", 7)


@pytest.fixture
def migration(host):
    host.deploy("users", "aaa")
    item = Migration("users", "a1")
    item.result.parent.mkdir(parents=True)
    return item


def finish(host, item, done=None, status=0):
    """Have the unit leave this result when it is started."""
    host.units[item.unit] = {"ExecMainStatus": str(status)}
    host.save()
    program = host.folder / "bin/systemctl"
    if done is not None:
        leave = f'if verb == "restart": pathlib.Path({str(item.result)!r}).write_text({json.dumps(done)!r})'
        program.write_text(program.read_text().replace("else:\n    with", f"else:\n    {leave}\n    with", 1))


def test_migration_is_marked_when_it_is_done(host, migration):
    assert not migration.marked
    finish(host, migration, ["migrated"])
    (outcome,) = service_migrations.run([migration], host.systemd)
    assert outcome.done == ("migrated",) and not outcome.problem and migration.marked
    assert host.calls() == ["daemon-reload", "restart users-migrate.service"]


def test_failed_migration_stops_the_release(host, migration):
    finish(host, migration, status=3)
    (outcome,) = service_migrations.run([migration], host.systemd)
    assert "migrations of release a1 failed: it ended with status 3" in outcome.problem
    assert "journal" in outcome.problem and "Next: " in outcome.problem and not migration.marked


def test_result_of_an_earlier_run_is_not_believed(host, migration):
    migration.result.write_text('["migrated"]')
    finish(host, migration, status=1)
    (outcome,) = service_migrations.run([migration], host.systemd)
    assert outcome.problem


@pytest.mark.parametrize("marked", [True, False])
def test_unreachable_database_stops_only_a_new_release(host, migration, marked):
    if marked:
        migration.marker.write_text("a1\n")
    finish(host, migration, status=75)
    (outcome,) = service_migrations.run([migration], host.systemd)
    assert bool(outcome.problem) is not marked and bool(outcome.remark) is marked


def test_new_timer_is_installed_and_started_and_then_left_alone(host):
    digest = host.deploy_timer("digest", "aaa")
    verbs = instances_verbs.VERBS
    actions = ["install digest.service", "install digest.timer", "enable digest.timer", "start digest.timer"]
    assert verbs["present"](host.roller(), [digest], True)["actions"] == actions
    assert host.calls() == []
    assert verbs["present"](host.roller(), [digest], False)["actions"] == actions
    assert host.calls() == ["daemon-reload", "stop digest.timer", "enable digest.timer"]
    assert host.systemd.unit("digest.timer") == "calendar of aaa\n"
    host.timer("digest")
    again = verbs["present"](host.roller(), [digest], False)
    assert again == {"changed": False, "actions": [], "restarts": []}


def test_new_revision_of_a_timer_restarts_no_run(host):
    verbs = instances_verbs.VERBS
    verbs["present"](host.roller(), [host.deploy_timer("digest", "aaa")], False)
    host.timer("digest", job="activating", MainPID="11")
    newer = host.deploy_timer("digest", "bbb")
    (host.state / "calls").unlink()
    result = verbs["present"](host.roller(), [newer], False)
    assert result["actions"] == ["install digest.service", "install digest.timer"]
    assert result["restarts"] == []
    assert not any("digest.service" in line for line in host.calls())
    assert verbs["current"](host.roller(), [newer], False)["actions"] == []


def test_timer_must_not_hide_a_unit_of_the_system(host):
    fstrim = host.deploy_timer("fstrim", "aaa")
    (host.folder / "vendor").mkdir()
    (host.folder / "vendor/fstrim.timer").touch()
    with pytest.raises(service_host.HostError, match="rename the timer"):
        instances_verbs.VERBS["present"](host.roller(), [fstrim], False)
    assert host.calls() == []


def test_check_mode_predicts_a_timer_that_is_not_placed_yet(host):
    new = Expected("digest", "ccc", 0, timer=True)
    assert "install digest.timer" in instances_verbs.VERBS["present"](host.roller(), [new], True)["actions"]


def test_verbs_of_a_timer(host):
    verbs, digest = instances_verbs.VERBS, host.deploy_timer("digest", "aaa")
    verbs["present"](host.roller(), [digest], False)
    (host.state / "calls").unlink()
    host.timer("digest", job="activating", MainPID="11")
    assert verbs["stopped"](host.roller(), [digest], False)["actions"] == ["stop digest.timer"]
    assert host.calls() == ["stop digest.timer", "stop digest.service"]
    assert verbs["restarted"](host.roller(), [digest], False)["actions"] == ["restart digest.timer"]
    with pytest.raises(RollError, match="digest is a timer"):
        verbs["reloaded"](host.roller(), [digest], False)
    host.timer("digest", state="inactive")
    assert verbs["stopped"](host.roller(), [digest], False)["changed"] is False
    assert verbs["started"](host.roller(), [digest], False)["actions"] == ["start digest.timer"]
    assert host.calls()[-1] == "enable digest.timer"


def test_service_becomes_a_timer_and_a_timer_a_service(host):
    verbs = instances_verbs.VERBS
    host.systemd.write_template("digest", "old")
    host.run("digest@1", "old", 11)
    verbs["present"](host.roller(), [host.deploy_timer("digest", "aaa")], False)
    assert "stop digest@1.service" in host.calls()
    assert sorted(path.name for path in host.units_folder.glob("digest*")) == [
        "digest.service",
        "digest.timer",
    ]
    host.deploy("digest", "bbb", instances=0, timer=False)
    host.units = {}
    host.save()
    service = Expected.read(service_host.manifest("digest"))
    assert "remove digest.timer" in verbs["present"](host.roller(), [service], False)["actions"]
    assert [path.name for path in host.units_folder.glob("digest*")] == ["digest@.service"]


def test_row_of_a_timer_tells_next_and_last(host):
    host.deploy_timer("digest", "aaa", "a1")
    host.timer("digest")
    host.units["digest.timer"]["NextElapseUSecRealtime"] = "Thu 2026-11-26 09:00:00 UTC"
    host.save()
    (host.folder / "timers/digest").mkdir(parents=True)
    last = {"moment": 1_700_000_000, "outcome": "failed", "exit_code": 3, "seconds": 1.23, "host": "spb-app1"}
    (host.folder / "timers/digest/last.json").write_text(json.dumps(last))
    (row,) = service_status.rows(["digest"], host.managers)
    assert (row["instance"], row["state"], row["revision"]) == (None, "active (waiting)", "aaa")
    assert row["note"] == (
        "next Thu 2026-11-26 09:00:00 UTC, last 2023-11-14T22:13:20Z failed (3) on spb-app1 in 1.2 s"
    )


def test_removed_timer_leaves_no_unit_and_no_state(host):
    instances_verbs.VERBS["present"](host.roller(), [host.deploy_timer("digest", "aaa")], False)
    (host.folder / "timers/digest").mkdir(parents=True)
    (host.folder / "stamps").mkdir()
    (host.folder / "stamps/stamp-digest.timer").touch()
    service_cleanup.remove_service("digest", host.roller())
    assert "stop digest.service" in host.calls() and "disable digest.timer" in host.calls()
    assert list(host.units_folder.glob("digest*")) == []
    assert not (host.folder / "timers/digest").exists()
    assert not (host.folder / "stamps/stamp-digest.timer").exists()


def test_removal_that_was_interrupted_is_completed(host):
    instances_verbs.VERBS["present"](host.roller(), [host.deploy_timer("digest", "aaa")], False)
    (host.units_folder / "digest.timer").unlink()
    service_cleanup.remove_service("digest", host.roller())
    assert list(host.units_folder.glob("digest*")) == []


def test_release_stays_as_long_as_a_part_needs_it(host):
    for number, release in enumerate(["a1", "a2", "a3"]):
        host.install("orders", release, age=number)
    host.deploy("orders", "aaa", "a1")
    part = host.deploy("orders-events", "bbb", "a3", instances=1, release_of="orders")
    unit = part.replace("/services/orders-events/", "/services/orders/")
    (host.folder / "etc/orders-events/revisions/bbb/unit").write_text(unit)
    releases = host.folder / "opt/services/orders/releases"
    assert service_cleanup.unused(["orders", "orders-events"], host.managers, 0) == [releases / "a2"]
    service_cleanup.remove_service("orders", host.roller())
    assert (releases / "a3").exists()
    assert service_cleanup.unused(["orders-events"], host.managers, 0) == [releases / "a1", releases / "a2"]
    service_cleanup.remove_service("orders-events", host.roller())
    assert not releases.parent.exists()


def test_release_stays_while_a_timers_run_has_it(host):
    for number, release in enumerate(["a1", "a2"]):
        host.install("orders", release, age=number)
    base = {"release_of": "orders"}
    for revision, release in (("aaa", "a2"), ("bbb", "a1")):
        host.deploy_timer("digest", revision, release, **base)
        text = f"ExecStart=/opt/tandem/services/orders/releases/{release}/bin/x /revisions/{revision}/timer.json\n"
        (host.folder / f"etc/digest/revisions/{revision}/unit").write_text(text)
    host.run("digest", "aaa", 11, ActiveState="activating")
    host.units["digest.timer"] = {"ActiveState": "active"}
    host.save()
    assert service_cleanup.unused(["digest"], host.managers, 0) == []
    host.units = {}
    host.save()
    unused = service_cleanup.unused(["digest"], host.managers, 0)
    assert unused == [
        host.folder / "etc/digest/revisions/aaa",
        host.folder / "opt/services/orders/releases/a2",
    ]


def test_controller_goes_with_the_last_service_that_needs_it(host):
    units = [host.units_folder / f"tandem-autoscale.{kind}" for kind in ("timer", "service")]
    for path in units:
        path.write_text("[Unit]\n")
    host.install("users", "a1", age=0)
    host.deploy("users", "aaa", "a1", autoscale={"min": 1, "max": 2, "metric": "request_rate"})
    assert service_cleanup.unused(["users"], host.managers, 0) == []
    host.deploy("users", "aaa", "a1")
    unused = service_cleanup.unused(["users"], host.managers, 0)
    assert unused == units
    service_cleanup.remove_unused(unused, host.systemd)
    assert "disable tandem-autoscale.timer" in host.calls() and not any(path.exists() for path in units)


def test_ps_tells_whose_numbers_are_autoscales(host):
    host.deploy("users", "aaa", "a1", instances=3, autoscale={"min": 1, "max": 3, "metric": "request_rate"})
    rows = service_status.rows(["users"], host.managers)
    assert [row["note"] for row in rows][1:] == ["by autoscale, 1 to 3"] * 2
