"""Instances under supervisord: systemd and the supervisords are stand-ins, links and units are real files."""

import itertools
import socketserver
import threading
import xmlrpc.server
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import (
    instances_supervisord,
    instances_verbs,
    service_cleanup,
    service_host,
    service_releases,
    service_status,
    supervisord_rpc,
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
from ansible_collections.tandem.platform.plugins.module_utils.instances_supervisord import (
    SupervisordError,
    unit_name,
)
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd
from ansible_collections.tandem.platform.plugins.module_utils.supervisord_rpc import RpcError

PIDS = itertools.count(100)


class Host(Systemd):
    """systemd and supervisord as far as they matter here; `broken`: revisions whose programs end at once."""

    def __init__(self, folder):
        super().__init__(folder / "units", folder / "proc")
        self.etc, self.run = folder / "etc", folder / "run"
        (self.folder / "multi-user.target.wants").mkdir(parents=True)
        for path in (self.proc, self.etc, self.run):
            path.mkdir()
        self.up, self.calls, self.broken, self.silent = {}, [], set(), set()

    def deploy(self, service, revision, manager="supervisord", instances=2):
        folder = self.etc / service / "revisions" / revision
        folder.mkdir(parents=True)
        (folder / "unit").write_text(f"TANDEM_REVISION={revision} /revisions/{revision}/ of {manager}")
        for number in range(1, 5):
            (folder / f"program-{number}.conf").touch()
        (self.etc / service / "manifest.json").write_text(
            f'{{"name": "{service}", "revision": "{revision}", "release": "a1", "instances": {instances}, '
            f'"manager": "{manager}", "user": "svc-{service}"}}'
        )
        return Expected(service, revision, instances, manager=manager)

    def process(self, revision):
        if revision in self.broken:
            return 0
        pid = next(PIDS)
        (self.proc / str(pid)).mkdir()
        (self.proc / str(pid) / "environ").write_bytes(f"TANDEM_REVISION={revision}\0".encode())
        return pid

    # systemd: an instance of a template is up with a process, a supervisord with programs
    def call(self, verb, *arguments):
        names = [name for name in arguments if not name.startswith("-")]
        if verb == "show":
            return "\n\n".join(self.show(name) for name in names)
        if verb == "list-units":
            return "\n".join(self.up)
        self.calls.append(" ".join([verb, *names]))
        for name in names:
            wants = self.folder / "multi-user.target.wants" / name
            if verb == "enable":
                wants.touch()
            elif verb == "disable":
                wants.unlink(missing_ok=True)
            elif verb == "stop":
                self.up.pop(name, None)
            elif verb in ("start", "restart"):
                self.start_unit(name)
        return ""

    def start_unit(self, name):
        service, _, rest = name.removesuffix(".service").partition("@")
        if rest.isdecimal():
            text = self.held_text(service, int(rest)) or self.template(service)
            self.up[name] = self.process(text.split()[0].split("=")[1])
            return
        revision = rest.removeprefix("supervisord-")
        self.up[name] = {}
        for path in (self.etc / service / "programs" / revision).glob("*.conf"):
            assert path.exists(), "a link that leads nowhere"
            self.up[name][f"{service}@{path.stem}"] = self.process(revision)

    def show(self, name):
        state = self.up.get(name)
        active = "inactive" if state is None else "failed" if state == 0 else "active"
        enabled = (self.folder / "multi-user.target.wants" / name).exists()
        pid = state if isinstance(state, int) else 0
        values = {
            "Id": name,
            "ActiveState": active,
            "MainPID": pid,
            "UnitFileState": "enabled" if enabled else "disabled",
        }
        return "\n".join(f"{key}={value}" for key, value in values.items())

    def journal(self, unit, service, *identifiers):
        return f"(journal of {unit})"

    # supervisord
    def rpc(self, path, method, *arguments):
        service, _, revision = path.parent.name.removeprefix("tandem-").rpartition("-")
        programs = self.up.get(unit_name(service, revision))
        if programs is None or revision in self.silent:
            raise RpcError("nobody there")
        if method == "getAllProcessInfo":
            return [self.info(name, pid) for name, pid in {**programs, "revive": 1}.items()]
        if method == "reloadConfig":
            return [[[], [], []]]
        self.calls.append(" ".join([revision, method, arguments[0]]))
        name = arguments[0]
        if method == "stopProcess":
            if not programs[name]:
                raise RpcError("NOT_RUNNING", 70)
            programs[name] = 0
        elif method == "removeProcessGroup":
            assert not programs.pop(name), "STILL_RUNNING"
        else:
            programs[name] = self.process(revision)
        return True

    def info(self, name, pid):
        state = "RUNNING" if pid else "FATAL"
        return {"name": name, "group": name, "statename": state, "pid": pid, "start": 1, "spawnerr": ""}

    def roller(self):
        time = itertools.count()
        clock = Clock(lambda: float(next(time)), lambda seconds: None)
        return Roller(Managers(self), Door(self.run / "no.sock"), Times(), clock)

    def running(self, service="users"):
        """Return by instance the revision that runs, over both managers."""
        found = Managers(self).instances({}, {service: "systemd"})[service].instances
        return {item.number: item.revision for item in found if item.running}

    def supervisords(self):
        return sorted(path.name for path in self.folder.glob("*@supervisord-*"))


@pytest.fixture
def host(tmp_path, monkeypatch):
    host = Host(tmp_path)
    monkeypatch.setattr(service_host, "SETTINGS", host.etc)
    monkeypatch.setattr(service_releases, "ROOT", tmp_path / "opt")
    monkeypatch.setattr(instances_supervisord, "RUNTIME", host.run)
    monkeypatch.setattr(instances_supervisord, "ANSWER_SECONDS", 0)
    monkeypatch.setattr(supervisord_rpc, "call", host.rpc)
    return host


def release(host, service):
    """Do what the role does; return what was restarted."""
    instances_verbs.present(host.roller(), [service], False)
    return instances_verbs.current(host.roller(), [service], False)["actions"]


def settled(host, service):
    return not instances_verbs.present(host.roller(), [service], True)["changed"]


def test_first_release_starts_one_supervisord(host):
    users = host.deploy("users", "aaa")
    predicted = instances_verbs.present(host.roller(), [users], True)["actions"]
    assert predicted == [
        "install users@",
        "enable users@1",
        "enable users@2",
        "start users@1",
        "start users@2",
    ]
    assert host.calls == []
    assert release(host, users) == []
    assert host.running() == {1: "aaa", 2: "aaa"} and host.supervisords() == [unit_name("users", "aaa")]
    assert host.calls.count(f"start {unit_name('users', 'aaa')}") == 1 and settled(host, users)


def test_new_revision_goes_instance_by_instance(host):
    release(host, host.deploy("users", "aaa"))
    users = host.deploy("users", "bbb")
    assert instances_verbs.present(host.roller(), [users], False)["restarts"] == [
        "restart users@1",
        "restart users@2",
    ]
    assert host.running() == {1: "aaa", 2: "aaa"}
    host.roller().restart(users, 1)
    assert host.running() == {1: "bbb", 2: "aaa"}
    # Both would start again as they are.
    links = {path.parent.name + "/" + path.name for path in host.etc.glob("users/programs/*/*.conf")}
    assert links == {"bbb/1.conf", "aaa/2.conf"}
    host.roller().restart(users, 2)
    assert host.running() == {1: "bbb", 2: "bbb"} and host.supervisords() == [unit_name("users", "bbb")]
    assert settled(host, users)


def test_revision_that_does_not_come_up_goes_back(host):
    release(host, host.deploy("users", "aaa"))
    users = host.deploy("users", "bbb")
    host.broken.add("bbb")
    with pytest.raises(RollError, match="It runs its previous revision again") as error:
        release(host, users)
    assert "supervisord says failed (fatal)" in str(error.value)
    assert host.running() == {1: "aaa", 2: "aaa"} and host.supervisords() == [unit_name("users", "aaa")]


@pytest.mark.parametrize(("old", "new"), [("systemd", "supervisord"), ("supervisord", "systemd")])
def test_other_manager_takes_over_instance_by_instance(host, old, new):
    release(host, host.deploy("users", "aaa", old))
    users = host.deploy("users", "bbb", new)
    instances_verbs.present(host.roller(), [users], False)
    assert host.running() == {1: "aaa", 2: "aaa"}
    host.roller().restart(users, 1)
    assert host.running() == {1: "bbb", 2: "aaa"}
    host.roller().restart(users, 2)
    service_cleanup.remove_unused(service_cleanup.unused(["users"], Managers(host), 0), host)
    assert host.running() == {1: "bbb", 2: "bbb"} and settled(host, users)
    assert service_cleanup.unused(["users"], Managers(host), 0) == []
    (left,) = [item for item in Managers(host) if item.name == old]
    assert all(item.gone for item in left.instances(["users"], {})["users"]) and not left.revisions("users")


@pytest.mark.parametrize(("old", "new"), [("systemd", "supervisord"), ("supervisord", "systemd")])
def test_instance_goes_back_to_its_manager(host, old, new):
    release(host, host.deploy("users", "aaa", old))
    users = host.deploy("users", "bbb", new)
    host.broken.add("bbb")
    with pytest.raises(RollError, match="It runs its previous revision again"):
        release(host, users)
    assert host.running() == {1: "aaa", 2: "aaa"}
    again = Expected("users", "aaa", 2, manager=old)
    assert release(host, again) == [] and settled(host, again)
    boot = Managers(host).instances({}, {"users": old})["users"]
    assert [item.enabled for item in boot.instances] == [True, True] and not boot.beside


def test_what_an_interrupted_move_has_left_is_cleared_away(host):
    release(host, host.deploy("users", "aaa", "systemd"))
    users = host.deploy("users", "bbb")
    host.call("stop", "users@1.service")  # and not yet disabled
    found = instances_verbs.present(host.roller(), [users], False)
    assert found["actions"][:2] == ["install users@", "leave users@1"] and "start users@1" in found["actions"]
    assert host.running() == {1: "bbb", 2: "aaa"}
    assert not (host.folder / "multi-user.target.wants/users@1.service").exists()


def test_instance_that_dies_before_its_turn_is_not_left_to_its_old_manager(host):
    release(host, host.deploy("users", "aaa", "systemd"))
    users = host.deploy("users", "bbb")
    instances_verbs.present(host.roller(), [users], False)
    host.up["users@1.service"] = 0
    host.roller().restart(users, 1)
    assert host.running() == {1: "bbb", 2: "aaa"}
    assert not (host.folder / "multi-user.target.wants/users@1.service").exists()


def test_surplus_instances_are_stopped(host):
    release(host, host.deploy("users", "aaa"))
    users = Expected("users", "aaa", 1, manager="supervisord")
    assert instances_verbs.present(host.roller(), [users], False)["actions"] == ["stop users@2"]
    assert host.running() == {1: "aaa"} and settled(host, users)


def test_verbs(host):
    users = host.deploy("users", "aaa")
    release(host, users)
    before = dict(host.up[unit_name("users", "aaa")])
    instances_verbs.restarted(host.roller(), [users], False)
    after = host.up[unit_name("users", "aaa")]
    assert all(after[name] != before[name] for name in ("users@1", "users@2"))
    with pytest.raises(RollError, match="can't reload"):
        instances_verbs.reloaded(host.roller(), [users], False)
    (host.etc / "users/revisions/aaa/gunicorn.conf.py").touch()
    assert instances_verbs.reloaded(host.roller(), [users], False)["changed"]
    assert "aaa signalProcess users@1" in host.calls
    instances_verbs.stopped(host.roller(), [users], False)
    assert host.running() == {} and host.supervisords() == [unit_name("users", "aaa")]
    found = instances_verbs.started(host.roller(), [users], False)
    assert found["actions"] == ["start users@1", "start users@2"] and len(host.running()) == 2


def test_unless_stopped_stays_stopped_after_a_boot(host):
    host.deploy("users", "aaa")
    users = Expected("users", "aaa", 2, manager="supervisord", restart="unless-stopped")
    release(host, users)
    instances_verbs.stopped(host.roller(), [users], False)
    assert host.supervisords() == [] and not list(host.etc.glob("users/programs/*/*"))
    instances_verbs.started(host.roller(), [users], False)
    assert host.running() == {1: "aaa", 2: "aaa"}


def test_rows_tell_what_runs_where(host):
    release(host, host.deploy("users", "aaa", "systemd"))
    users = host.deploy("users", "bbb")
    instances_verbs.present(host.roller(), [users], False)
    host.roller().restart(users, 1)
    first, second = service_status.rows(["users"], Managers(host))
    assert (first["state"], first["revision"], first["note"]) == ("active (running)", "bbb", "")
    assert second["note"] == "out of date, deployed is bbb, under systemd, deployed is supervisord"


def test_removed_service_leaves_nothing_behind(host):
    release(host, host.deploy("users", "aaa"))
    service_cleanup.remove_service("users", host.roller())
    assert host.up == {} and host.supervisords() == [] and not (host.etc / "users").exists()


def test_supervisord_that_does_not_answer_is_not_passed_over(host):
    release(host, host.deploy("users", "aaa"))
    users = host.deploy("users", "bbb")
    host.silent.add("aaa")
    with pytest.raises(SupervisordError, match=r"supervisord-aaa\.service: nobody there\. Next: "):
        release(host, users)
    assert not any(name.startswith("users@supervisord-bbb") for name in host.up)


def test_calls_go_over_the_socket(tmp_path):
    class Server(socketserver.UnixStreamServer, xmlrpc.server.SimpleXMLRPCDispatcher):
        logRequests = False

        def __init__(self, path):
            xmlrpc.server.SimpleXMLRPCDispatcher.__init__(self)
            super().__init__(path, Handler)

    class Handler(xmlrpc.server.SimpleXMLRPCRequestHandler):
        disable_nagle_algorithm = False
        rpc_paths = ("/RPC2",)

        def address_string(self):
            return "socket"

    def start(name, wait):
        if name == "broken":
            raise xmlrpc.client.Fault(50, "SPAWN_ERROR: broken")
        return [name, wait]

    path = Path(tmp_path, "s")
    with Server(str(path)) as server:
        server.register_function(start, "supervisor.startProcess")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert supervisord_rpc.call(path, "startProcess", "x", False) == ["x", False]
        with pytest.raises(RpcError, match="SPAWN_ERROR") as error:
            supervisord_rpc.call(path, "startProcess", "broken", False)
        assert error.value.code == 50
        server.shutdown()
    with pytest.raises(RpcError, match="does not answer") as error:
        supervisord_rpc.call(Path(tmp_path, "none"), "getState")
    assert error.value.code is None
