"""What has to be done to a host's instances."""

from ansible_collections.tandem.platform.plugins.module_utils.instances_door import Server
from ansible_collections.tandem.platform.plugins.module_utils.instances_plan import (
    Expected,
    at_once,
    plan,
    restarts,
    usable_elsewhere,
)
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Instance

USERS = Expected("users", "new", 2, 5000, "/health/ready")


def instance(number, revision="new", **changes):
    values = {"active": "active", "sub": "running", "pid": 100 + number, "enabled": True, **changes}
    return Instance("users", number, revision=revision, **values)


def compare(*found, servers=None, wanted="unit", installed="unit", service=USERS):
    return plan(service, found, servers or {}, wanted, installed)


def test_fresh_host_starts_everything_and_restarts_nothing():
    todo = compare(installed=None)
    assert todo.template and todo.start == (1, 2) and todo.enable == (1, 2)
    assert restarts([todo]) == []
    assert at_once([todo]) == ["enable users@1", "enable users@2", "start users@1", "start users@2"]


def test_fresh_host_in_check_mode_has_no_unit_yet():
    assert compare(wanted=None, installed=None).template


def test_what_is_current_is_left_alone():
    todo = compare(instance(1), instance(2))
    assert not todo.template and at_once([todo]) == [] and restarts([todo]) == []


def test_old_revisions_are_restarted_and_held_until_then():
    todo = compare(instance(1, "old"), instance(2), installed="old unit")
    assert restarts([todo]) == ["restart users@1"] and todo.hold == (1,) and todo.start == ()


def test_instance_that_is_held_already_stays_as_it_is():
    todo = compare(instance(1, "oldest", held=True), instance(2, "old"), installed="old unit")
    assert todo.hold == (2,) and todo.restart == (1, 2)


def test_held_instance_of_the_wanted_revision_is_let_go_without_a_restart():
    todo = compare(instance(1, held=True), instance(2), installed="newer unit")
    assert todo.let_go == (1,) and todo.restart == () and todo.template


def test_process_of_unknown_revision_is_out_of_date():
    assert compare(instance(1, ""), instance(2)).restart == (1,)


def test_instance_between_two_crashes_does_not_run():
    todo = compare(instance(1, "old", active="activating", sub="auto-restart", pid=0), instance(2))
    assert todo.start == (1,) and todo.restart == ()


def test_surplus_instances_are_stopped():
    todo = compare(
        instance(1), instance(2), instance(3, "old"), instance(4, active="inactive", pid=0, enabled=False)
    )
    assert todo.stop == (3,)


def test_instance_that_is_not_started_at_boot_is_enabled():
    assert compare(instance(1, enabled=False), instance(2)).enable == (1,)


def test_instance_that_was_left_drained_is_put_back():
    servers = {1: Server("DRAIN", 0), 2: Server("UP", 3)}
    assert compare(instance(1), instance(2), servers=servers).put_back == (1,)
    assert compare(instance(1, "old"), instance(2), servers=servers).put_back == ()


def test_usable_elsewhere():
    assert usable_elsewhere({1: Server("UP", 0), 2: Server("UP 1/2", 0)}, 1)
    assert usable_elsewhere({1: Server("UP", 0), 2: Server("no check", 0)}, 1)
    assert not usable_elsewhere({1: Server("UP", 0), 2: Server("DOWN", 0), 3: Server("DRAIN", 0)}, 1)


def test_manifest_of_a_worker_has_no_address():
    worker = Expected.read({"name": "w", "revision": "r", "instances": 1, "port": None, "health": None})
    assert worker.address(1) is None
    assert USERS.address(2) == (5001, "/health/ready")


def test_between_least_and_most_autoscale_decides():
    scaled = Expected.read(
        {
            "name": "users",
            "revision": "new",
            "instances": 4,
            "port": 5000,
            "health": "/",
            "autoscale": {"min": 2, "max": 4},
        }
    )
    stopped = instance(4, active="inactive", sub="dead", pid=0, enabled=False)
    servers = {1: Server("UP", 0), 2: Server("UP", 0), 3: Server("MAINT", 0), 4: Server("MAINT", 0)}
    todo = compare(instance(1), instance(2), stopped, servers=servers, service=scaled)
    assert at_once([todo]) == [] and restarts([todo]) == []
    started = instance(3, enabled=False)
    todo = compare(instance(1), instance(2), started, stopped, servers=servers, service=scaled)
    assert at_once([todo]) == [] and restarts([todo]) == []


def test_what_autoscale_has_started_gets_a_new_release_too():
    scaled = Expected("users", "new", 4, 5000, "/", autoscale={"min": 1, "max": 4})
    todo = compare(instance(1), instance(3, "old", enabled=False), installed="old unit", service=scaled)
    assert todo.restart == (3,) and todo.hold == (3,) and todo.start == () and todo.enable == ()


def test_above_the_most_nothing_stays_and_below_the_least_nothing_is_missing():
    scaled = Expected("users", "new", 4, 5000, "/", autoscale={"min": 2, "max": 4})
    todo = compare(instance(1), instance(5), service=scaled)
    assert todo.start == (2,) and todo.enable == (2,) and todo.stop == (5,)
