"""What the role promises of services under supervisord. Goes on with the host that test_service.py has left."""

import json
import re
import time

import pytest

from tests.support.services import converge, environment, run, show, under_load, variables

SETTINGS = "/etc/tandem/services"
GREETING = ("-e", "molecule_greeting=two")


@pytest.fixture(autouse=True)
def root(host):
    with host.sudo():
        yield


def revision(service, host):
    return json.loads(host.file(f"{SETTINGS}/{service}/manifest.json").content_string)["revision"]


def unit(service, host):
    return f"{service}@supervisord-{revision(service, host)}.service"


def programs(service, host):
    """Return what supervisorctl shows: by program its state and process."""
    socket = f"/run/tandem-{service}-{revision(service, host)}/supervisor.sock"
    found = {}
    for line in host.run(f"supervisorctl -s unix://{socket} status").stdout.splitlines():
        name, state, *rest = line.split()
        found[name] = (state, rest[1].rstrip(",") if rest[:1] == ["pid"] else "")
    return found


def pid(service, number, host):
    return programs(service, host)[f"{service}@{number}"][1]


def worker(host):
    return json.loads(host.check_output("curl -sf localhost:5120/hello/"))["process"]


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def act(state, *names, rc=0):
    """Do what `playbooks/service.yml` does."""
    module = ["-m", "tandem.platform.instances", "-a", json.dumps({"state": state, "names": names})]
    done = run("ansible", "-b", "-i", "molecule/inventory", "service", *module)
    assert (done.returncode == 0) == (rc == 0), done.stdout + done.stderr
    return done.stdout


class TestAsDeployed:
    def test_one_supervisord_runs_all_instances(self, host):
        for service, count in (("watched", 2), ("errand", 1)):
            assert show(host, unit(service, host), "User") == f"svc-{service}"
            assert host.service(unit(service, host)).is_running
            assert host.service(unit(service, host)).is_enabled
            names = {f"{service}@{number}" for number in range(1, count + 1)} | {"revive"}
            assert {name: state for name, (state, _) in programs(service, host).items()} == dict.fromkeys(
                names, "RUNNING"
            )
        answers = [
            json.loads(host.check_output(f"curl -sf localhost:{port}/hello/")) for port in (5120, 5121)
        ]
        assert [answer["instance"] for answer in answers] == ["1", "2"]

    def test_debians_own_supervisord_does_not_run(self, host):
        assert host.package("supervisor").is_installed
        assert host.check_output("systemctl is-enabled supervisor.service || true") == "masked"
        assert not host.service("supervisor").is_running
        owners = set(
            host.check_output("ps -eo user:20,args | grep '[/]usr/bin/supervisord' | cut -d' ' -f1").split()
        )
        assert owners == {"svc-watched", "svc-errand"}

    @pytest.mark.parametrize("service", ["watched", "errand"])
    def test_sandbox(self, host, service):
        done = host.run(f"systemd-analyze security --no-pager --threshold=20 {unit(service, host)}")
        print(done.stdout.splitlines()[-1])
        assert done.rc == 0, done.stdout[-300:]

    def test_process_gets_its_environment_unchanged(self, host):
        for number, port in (("1", "5120"), ("2", "5121")):
            found = variables(host, pid("watched", number, host))
            assert found["ODD"] == 'a "quoted" $HOME `value` with \\ and %n' and found["GREETING"] == "two"
            assert (found["INSTANCE"], found["PORT"]) == (number, port)
            assert found["TANDEM_REVISION"] == revision("watched", host)

    def test_states_are_for_everybody_on_the_host(self, host):
        path = f"/run/tandem-metrics/watched/programs-{revision('watched', host)}.json"

        def written():
            found = host.run(f"runuser -u nobody -- cat {path}")
            return (found.rc == 0 and json.loads(found.stdout)) or {}

        wait_for(lambda: set(written()) == {"watched@1", "watched@2"}, 15, "no states are written")
        for name, state in written().items():
            assert state == {"state": "RUNNING", "pid": int(pid("watched", name[-1], host))}
        folder = host.file("/run/tandem-metrics/watched")
        assert (folder.user, folder.mode) == ("svc-watched", 0o711)

    def test_a_worker_is_told_where_to_show_its_metrics(self, host):
        found = variables(host, pid("errand", "1", host))
        assert found["METRICS_SOCKET"] == "/run/tandem-metrics/errand/1.sock"
        assert environment(host, "worker@1")["METRICS_SOCKET"] == "/run/tandem-metrics/worker/1.sock"
        folder = host.file("/run/tandem-metrics/worker")
        assert (folder.user, folder.mode) == ("svc-worker", 0o711)
        assert "METRICS_SOCKET" not in variables(host, pid("watched", "1", host))

    def test_secrets_and_control_are_only_for_the_services_user(self, host):
        folder = f"/run/credentials/{unit('watched', host)}"
        socket = f"/run/tandem-watched-{revision('watched', host)}/supervisor.sock"
        assert host.check_output(f"ls {folder}") == "token"
        assert host.run(f"runuser -u svc-watched -- cat {folder}/token").rc == 0
        assert host.run(f"runuser -u svc-watched -- supervisorctl -s unix://{socket} version").rc == 0
        for other in ("svc-errand", "svc-hello", "nobody"):
            assert host.run(f"runuser -u {other} -- ls {folder}").rc != 0
            assert host.run(f"runuser -u {other} -- stat {socket}").rc != 0
        assert host.file(socket).mode == 0o700 and host.file(socket).user == "svc-watched"
        kept = host.check_output(
            f"find {SETTINGS}/watched -path '*credentials/*' -o -name environment"
        ).split()
        assert len(kept) >= 2
        for user in ("svc-watched", "nobody"):
            for path in kept:
                assert host.run(f"runuser -u {user} -- cat {path}").rc != 0, f"{user} reads {path}"

    def test_limits_are_those_of_all_instances(self, host):
        found = unit("watched", host)
        assert show(host, found, "MemoryMax") == str((2 * 128 + 64) * 2**20)
        assert show(host, found, "CPUQuotaPerSecUSec") == "1s"
        assert show(host, found, "TasksMax") == str(2 * 64 + 8)
        assert show(host, found, "OOMPolicy") == "continue"

    def test_logs_are_the_services_own(self, host):
        assert "still here" in host.check_output("journalctl --namespace=errand -t errand@1 -o cat")
        assert "still here" in host.check_output("journalctl --namespace=errand -u 'errand@*' -o cat")
        assert "still here" not in host.check_output("journalctl -o cat")

    def test_starts_after_what_it_depends_on(self, host):
        assert {"hello@1.service"} <= set(show(host, unit("watched", host), "After").split())
        assert unit("watched", host) in show(host, unit("errand", host), "After").split()

    def test_volumes(self, host):
        inside = f"nsenter --mount --target {pid('watched', 1, host)} --"
        assert host.run(f"{inside} runuser -u svc-watched -- touch /srv/uploads/x").rc == 0
        assert host.file("/srv/molecule/watched/x").exists
        assert host.run(f"{inside} touch /etc/x").rc != 0


class TestFailures:
    def test_dead_instance_comes_back_alone(self, host):
        first, second = pid("watched", 1, host), pid("watched", 2, host)
        host.check_output(f"kill -9 {first}")
        wait_for(lambda: host.run("curl -sf localhost:5120/health/ready").rc == 0, 20, "it stays dead")
        assert pid("watched", 1, host) != first and pid("watched", 2, host) == second

    def test_dead_supervisord_comes_back_with_its_programs(self, host):
        host.check_output(f"kill -9 {show(host, unit('errand', host), 'MainPID')}")
        wait_for(lambda: programs("errand", host).get("errand@1", ("",))[0] == "RUNNING", 30, "it stays dead")

    def test_program_that_was_given_up_comes_back(self, host):
        program = host.check_output("ls /opt/tandem/services/errand/releases/*/bin/hello")
        host.check_output(f"chmod 000 {program}")
        host.check_output(f"kill -9 {pid('errand', 1, host)}")
        wait_for(lambda: programs("errand", host)["errand@1"][0] == "FATAL", 30, "it is never given up")
        started = time.monotonic()
        host.check_output(f"chmod 755 {program}")
        wait_for(lambda: programs("errand", host)["errand@1"][0] == "RUNNING", 50, "it stays given up")
        print(f"came back after {time.monotonic() - started:.0f} s")
        assert time.monotonic() - started > 10, "it had not been given up"


class TestVerbs:
    def test_restart(self, host):
        before = [pid("watched", number, host) for number in (1, 2)]
        output = act("restarted", "watched")
        assert "restart watched@1" in output and "restart watched@2" in output
        after = [pid("watched", number, host) for number in (1, 2)]
        assert not set(before) & set(after)
        assert show(host, unit("watched", host), "NRestarts") == "0"

    def test_reload(self, host):
        first = pid("watched", 1, host)
        process = worker(host)
        act("reloaded", "watched")
        assert pid("watched", 1, host) == first
        wait_for(lambda: worker(host) != process, 30, "the old worker stays")
        assert "errand can't reload" in act("reloaded", "errand", rc=1)

    def test_stop_and_start(self, host):
        assert "stop errand@1" in act("stopped", "errand")
        assert not host.service(unit("errand", host)).is_running
        assert host.service(unit("errand", host)).is_enabled
        assert "changed: false" in act("stopped", "errand")
        assert "start errand@1" in act("started", "errand")
        assert programs("errand", host)["errand@1"][0] == "RUNNING"
        assert "changed: false" in act("started", "errand")


class TestMoves:
    """In order: each builds on what the one before has left."""

    def test_going_to_the_other_manager_and_back_fails_no_request(self, host):
        old = unit("watched", host)
        with under_load(host, "moves") as result:
            converge(*GREETING, "-e", "molecule_manager=systemd")
            for number in (1, 2):
                assert host.service(f"watched@{number}").is_running
                assert host.service(f"watched@{number}").is_enabled
                found = environment(host, f"watched@{number}")
                assert found["TANDEM_REVISION"] == revision("watched", host)
            assert not host.service(old).is_running and not host.file(f"/etc/systemd/system/{old}").exists
            converge(*GREETING)
        for number in (1, 2):
            assert not host.service(f"watched@{number}").is_running
            assert programs("watched", host)[f"watched@{number}"][0] == "RUNNING"
        assert host.run("ls -d /etc/systemd/system/watched@.service").rc != 0
        assert host.run("ls -d /etc/systemd/system/multi-user.target.wants/watched@[0-9]*").rc != 0
        watched = result["watched"]
        assert watched["sent"] > 200 and watched["failed"] == [] and watched["downs"] == 0

    def test_second_run_changes_nothing(self):
        assert "changed=0" in converge(*GREETING) and "changed=0" in converge(*GREETING, "--check")

    def test_instance_that_does_not_come_up_under_the_other_manager_goes_back(self, host):
        pids = [pid("watched", number, host) for number in (1, 2)]
        running = unit("watched", host)
        broken = ("-e", "molecule_manager=systemd", "-e", "molecule_watched_broken=start")
        output = converge(*GREETING, *broken, rc=2)
        assert "watched@1 on m-service does not come up" in output
        assert "this release is broken on purpose" in output
        assert "It runs its previous revision again." in output
        assert host.service(running).is_running and not host.service("watched@1").is_running
        assert host.run("curl -sf localhost:5120/health/ready").rc == 0
        converge(*GREETING)
        assert pid("watched", 2, host) == pids[1] and unit("watched", host) == running
        assert not host.file("/etc/systemd/system/watched@.service").exists

    def test_broken_release_goes_back(self, host):
        second, running = pid("watched", 2, host), unit("watched", host)
        output = converge(*GREETING, "-e", "molecule_watched_broken=start", rc=2)
        assert "watched@1 on m-service does not come up" in output
        assert "this release is broken on purpose" in output
        assert "It runs its previous revision again." in output
        assert host.run("curl -sf localhost:5120/health/ready").rc == 0
        converge(*GREETING)
        assert pid("watched", 2, host) == second and unit("watched", host) == running
        assert host.check_output("ls -d /etc/systemd/system/watched@*") == f"/etc/systemd/system/{running}"

    def test_fewer_instances_and_a_removed_service(self, host):
        first = pid("watched", 1, host)
        hello, watched = (
            "molecule_service | combine(molecule_hello)",
            "molecule_service | combine(molecule_watched)",
        )
        services = f"[{hello}, {watched} | combine({{'instances': 1}})]"
        output = converge(*GREETING, "-e", json.dumps({"service_list": "{{ " + services + " }}"}))
        assert pid("watched", 1, host) == first and "watched@2" not in programs("watched", host)
        assert show(host, unit("watched", host), "MemoryMax") == str((128 + 64) * 2**20)
        assert re.search(r"Removed: .*errand", output)
        for path in (f"{SETTINGS}/errand", "/opt/tandem/services/errand"):
            assert not host.file(path).exists
        assert host.run("ls -d /etc/systemd/system/errand* /run/tandem-errand*").stdout == ""
        assert host.run("pgrep -u svc-errand").rc == 1
