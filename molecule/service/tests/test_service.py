"""What the role promises of services, on a host with a database and a door."""

import json
import time
from pathlib import Path

import pytest

from tests.support.services import converge, environment, show, under_load

SETTINGS = "/etc/tandem/services"
INSTANCES = ["hello@1", "hello@2", "solo@1", "worker@1", "helper@1"]
TIMERS = ["tick", "nap"]
USERS = ["svc-hello", "svc-solo", "svc-worker", "svc-helper", "svc-tick", "svc-nap"]


@pytest.fixture(autouse=True)
def root(host):
    with host.sudo():
        yield


def sql(host, query):
    return host.check_output(f'runuser -u postgres -- psql -XAtd hello -c "{query}"')


class TestAsDeployed:
    def test_instances_run_and_start_at_boot(self, host):
        for unit in INSTANCES:
            assert host.service(unit).is_running and host.service(unit).is_enabled, unit
        answers = [
            json.loads(host.check_output(f"curl -sf localhost:{port}/hello/")) for port in (5100, 5101, 5110)
        ]
        assert [answer["instance"] for answer in answers] == ["1", "2", "1"]

    def test_users_own_nothing_and_cannot_log_in(self, host):
        for name in USERS:
            user = host.user(name)
            assert (user.home, user.shell, user.group) == ("/nonexistent", "/usr/sbin/nologin", name)
            assert user.uid < 1000
        assert host.check_output("find /opt/tandem /etc/tandem ! -user root") == ""
        assert show(host, "hello@1", "User") == "svc-hello"

    @pytest.mark.parametrize("unit", [*INSTANCES, "hello-migrate", *TIMERS])
    def test_sandbox(self, host, unit):
        # The threshold is in tenths: 20 is an exposure of 2.0.
        done = host.run(f"systemd-analyze security --no-pager --threshold=20 {unit}.service")
        assert done.rc == 0, done.stdout[-300:]

    def test_process_gets_its_environment_unchanged(self, host):
        found = environment(host, "hello@1")
        assert found["ODD"] == 'a "quoted" $HOME `value` with \\ and %n'
        assert found["COMMON"] == "from the file" and found["GREETING"] == "one"
        assert (found["INSTANCE"], found["PORT"]) == ("1", "5100")
        assert environment(host, "hello@2")["PORT"] == "5101"
        assert not any("dsn" in name.lower() and "password=" in value for name, value in found.items())

    def test_secrets_reach_only_their_service(self, host):
        files = {"hello": {"token", "signing_key", "database_password"}, "solo": {"verification_key"}}
        for service, names in files.items():
            for number in (1, 2) if service == "hello" else (1,):
                folder = f"/run/credentials/{service}@{number}.service"
                assert set(host.check_output(f"ls {folder}").split()) == names
                assert host.run(f"runuser -u svc-{service} -- cat {folder}/{min(names)}").rc == 0
                for other in {*USERS, "nobody"} - {f"svc-{service}"}:
                    assert host.run(f"runuser -u {other} -- ls {folder}").rc != 0

    def test_no_service_can_read_what_is_kept_for_any(self, host):
        secret = host.check_output("cat /run/credentials/hello@1.service/token")
        kept = host.check_output(f"find {SETTINGS} -path '*credentials/*' -type f").split()
        assert len(kept) >= 5
        for user in [*USERS, "nobody"]:
            for path in [*kept, *host.check_output(f"find {SETTINGS} -name environment").split()]:
                assert host.run(f"runuser -u {user} -- cat {path}").rc != 0, f"{user} reads {path}"
        assert secret not in host.check_output("ps axww -o args")

    def test_public_half_of_a_key_is_handed_over(self, host):
        assert "BEGIN PUBLIC KEY" in host.check_output("cat /run/credentials/solo@1.service/verification_key")
        assert "PRIVATE" in host.check_output("cat /run/credentials/hello@1.service/signing_key")

    def test_owners_password_is_only_for_migrations(self, host):
        owner = host.check_output(f"cat {SETTINGS}/hello/migration/credentials/database_password")
        assert owner != host.check_output("cat /run/credentials/hello@1.service/database_password")
        assert "user=hello_owner" in host.file(f"{SETTINGS}/hello/migration/environment").content_string
        assert "user=hello_owner" not in str(environment(host, "hello@1"))

    def test_database_was_migrated_and_initialised_once(self, host):
        assert sql(host, "select count(*) from tandem_releases.migrated") == "1"
        assert sql(host, "select service from tandem_releases.initialised") == "hello"
        assert sql(host, "select tableowner from pg_tables where tablename = 'greetings'") == "hello_owner"

    def test_restart_policies_and_limits(self, host):
        assert show(host, "hello@1", "Restart") == "always"
        assert show(host, "worker@1", "Restart") == "on-failure"
        assert show(host, "worker@1", "StartLimitBurst") == "4"
        assert show(host, "hello@1", "MemoryMax") == str(128 * 2**20)
        assert show(host, "hello@1", "CPUQuotaPerSecUSec") == "500ms"
        assert show(host, "hello@1", "TasksMax") == "64"

    def test_dead_instance_comes_back(self, host):
        before = show(host, "worker@1", "MainPID")
        host.check_output(f"kill -9 {before}")
        deadline = time.monotonic() + 20
        while show(host, "worker@1", "MainPID") in ("0", before):
            assert time.monotonic() < deadline, "it stays dead"
            time.sleep(0.5)

    def test_logs_are_apart_and_limited(self, host):
        assert "still here" in host.check_output("journalctl --namespace=worker -o cat")
        assert "still here" not in host.check_output("journalctl -o cat")
        assert "still here" not in host.check_output("journalctl --namespace=hello -o cat")
        limits = host.file("/etc/systemd/journald@worker.conf").content_string
        assert "SystemMaxFileSize=1M\n" in limits and "SystemMaxFiles=2\n" in limits

    def test_volumes(self, host):
        inside = f"nsenter --mount --target {show(host, 'hello@1', 'MainPID')} --"
        host.check_output("touch /srv/molecule/branding/logo")
        assert host.run(f"{inside} ls /branding/logo").rc == 0
        assert host.run(f"{inside} touch /branding/x").rc != 0
        assert host.run(f"{inside} runuser -u svc-hello -- touch /srv/uploads/x").rc == 0
        assert host.file("/srv/molecule/uploads/x").user == "svc-hello"
        assert host.run(f"{inside} touch /etc/x").rc != 0

    def test_starts_after_what_it_depends_on(self, host):
        assert {"hello@1.service", "hello@2.service"} <= set(show(host, "solo@1", "After").split())

    def test_releases_share_what_is_the_same(self, host):
        inodes = host.check_output(
            "stat -c %i /opt/tandem/services/*/releases/*/site/flask/__init__.py"
        ).split()
        assert len(inodes) == 6 and len(set(inodes)) == 1
        assert host.run("test -d /opt/tandem/services/hello/releases/*/site/flask/__pycache__").rc == 0


def runs(host, job):
    """The runs of a timer's job: token, outcome and exit status."""
    query = f"select token, outcome, exit_code from tandem.timer_runs where job = '{job}' order by token"
    return [tuple(line.split("|")) for line in sql(host, query).splitlines()]


class TestPartsAndTimers:
    def test_part_runs_the_release_of_its_service(self, host):
        release = environment(host, "hello@1")["TANDEM_RELEASE"]
        assert environment(host, "helper@1")["TANDEM_RELEASE"] == release
        assert show(host, "helper@1", "WorkingDirectory") == f"/opt/tandem/services/hello/releases/{release}"
        assert show(host, "helper@1", "User") == "svc-helper"
        assert not host.file("/opt/tandem/services/helper").exists
        assert "still here" in host.check_output("journalctl --namespace=helper -o cat")

    def test_timers_wait_and_start_at_boot(self, host):
        for name in TIMERS:
            assert host.service(f"{name}.timer").is_running and host.service(f"{name}.timer").is_enabled
            assert not host.service(f"{name}@1").is_running
        assert "00:00:00 UTC" in show(host, "nap.timer", "TimersCalendar")
        assert show(host, "nap.timer", "Persistent") == "yes"
        assert show(host, "tick.timer", "Persistent") == "no"

    def test_timer_runs_its_job_once_per_moment(self, host):
        for _ in range(3):
            host.check_output("systemctl start tick.service")
        moments = "select count(*), count(distinct moment) from tandem.timer_runs where job = 'tick'"
        total, distinct = map(int, sql(host, moments).split("|"))
        assert 1 <= total == distinct
        assert {row[1:] for row in runs(host, "tick")} == {("succeeded", "0")}
        log = host.check_output("journalctl --namespace=tick -o cat")
        assert log.count("tick 20") == total
        assert "timer tick moment=20" in log and "outcome=succeeded host=m-service exit_code=0" in log

    def test_result_is_kept_for_all_to_read(self, host):
        host.check_output("systemctl start tick.service")
        text = host.check_output("runuser -u nobody -- cat /var/lib/tandem/timers/tick/last.json")
        found = json.loads(text)
        assert (found["outcome"], found["host"]) == ("succeeded", "m-service")
        assert found["last_success"] >= found["moment"]

    def test_killed_run_is_made_up_for_and_then_done(self, host):
        host.check_output("systemctl start --no-block nap.service")
        deadline = time.monotonic() + 20
        while not runs(host, "nap"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        host.check_output(f"kill -9 {show(host, 'nap.service', 'MainPID')}")
        while show(host, "nap.service", "ActiveState") != "failed":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert host.run("pgrep -u svc-nap").rc != 0
        host.check_output("systemctl start nap.service")
        assert runs(host, "nap") == [("1", "lost", ""), ("2", "succeeded", "0")]
        host.check_output("systemctl start nap.service")
        assert len(runs(host, "nap")) == 2

    def test_job_reads_its_password_and_nobody_elses(self, host):
        folder = f"{SETTINGS}/tick/revisions"
        kept = host.check_output(f"find {folder} -path '*credentials/*' -type f").split()
        assert [Path(path).name for path in kept] == ["database_password"]
        assert host.run(f"runuser -u svc-tick -- cat {kept[0]}").rc != 0


class TestReleases:
    """In order: each builds on what the one before has left."""

    def test_new_revision_under_load_fails_no_request(self, host):
        revisions = {unit: environment(host, unit)["TANDEM_REVISION"] for unit in INSTANCES}
        worker = show(host, "worker@1", "MainPID")
        with under_load(host, "releases") as result:
            converge("-e", "molecule_greeting=two")
        assert environment(host, "hello@1")["GREETING"] == "two"
        now = {unit: environment(host, unit)["TANDEM_REVISION"] for unit in INSTANCES}
        assert [unit for unit in INSTANCES if now[unit] != revisions[unit]] == [
            "hello@1",
            "hello@2",
            "solo@1",
        ]
        assert show(host, "worker@1", "MainPID") == worker
        assert (
            result["hello"]["sent"] > 200
            and result["hello"]["failed"] == []
            and result["hello"]["downs"] == 0
        )
        # The same under supervisord.
        assert result["watched"]["sent"] > 200 and result["watched"]["failed"] == []
        assert result["watched"]["downs"] == 0
        # Its only instance on this host: callers were told to go elsewhere, and came back.
        assert result["solo"]["failed"] == [] and result["solo"]["downs"] == 1

    def test_broken_release_stops_at_its_first_instance(self, host):
        second = show(host, "hello@2", "MainPID")
        output = converge("-e", "molecule_greeting=three", "-e", "molecule_broken=start", rc=2)
        assert "hello@1 on m-service does not come up" in output
        assert "this release is broken on purpose" in output
        assert "It runs its previous revision again." in output
        assert environment(host, "hello@1")["GREETING"] == "two"
        assert show(host, "hello@2", "MainPID") == second
        assert host.run("curl -sf -H 'X-Tandem-Service: hello' localhost:7443/hello/").rc == 0

    def test_after_a_broken_release_instances_still_start_as_before(self, host):
        host.check_output("systemctl daemon-reload")
        host.check_output("systemctl kill -s KILL hello@2")
        deadline = time.monotonic() + 20
        while host.run("curl -sf localhost:5101/health/ready").rc != 0:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert environment(host, "hello@2")["GREETING"] == "two"

    def test_going_back_restarts_nothing(self, host):
        pids = [show(host, unit, "MainPID") for unit in INSTANCES]
        converge("-e", "molecule_greeting=two")
        assert [show(host, unit, "MainPID") for unit in INSTANCES] == pids
        assert host.check_output("find /etc/systemd/system -name '*@[0-9].service' -type f") == ""

    def test_fewer_instances_and_a_removed_service(self, host):
        services = "[molecule_service | combine(molecule_hello) | combine({'instances': 1}),"
        kept = ("worker", "helper", "watched", "errand")
        services += ",".join(f" molecule_service | combine(molecule_{name})" for name in kept) + "]"
        first = show(host, "hello@1", "MainPID")
        output = converge(
            "-e", "molecule_greeting=two", "-e", json.dumps({"service_list": "{{ " + services + " }}"})
        )
        assert show(host, "hello@1", "MainPID") == first
        assert not host.service("hello@2").is_running and not host.service("hello@2").is_enabled
        assert "Removed: busy, nap, solo, tick." in output
        assert "user svc-solo (to remove it: userdel svc-solo)" in output
        assert (
            host.check_output(
                "systemctl list-unit-files --no-legend 'solo*' 'tick*' 'nap*';"
                " cd /etc/systemd/system; ls -d solo* tick* nap* 2>/dev/null || true"
            )
            == ""
        )
        assert not host.file("/var/lib/tandem/timers/tick").exists
        for path in (f"{SETTINGS}/solo", "/opt/tandem/services/solo", "/etc/systemd/journald@solo.conf"):
            assert not host.file(path).exists
        assert host.user("svc-solo").exists
        # With the last service that needs it goes what counts requests.
        units = "/etc/systemd/system/tandem-autoscale"
        assert not host.file(f"{units}.timer").exists and not host.file(f"{units}.service").exists
        assert not host.service("tandem-autoscale.timer").is_running
