"""Deploy onto hosts made from nothing: predict, deploy, and change nothing more."""

from tests.support.cluster import wait_settled
from tests.support.playbook import playbook

# What a check run's own login, package metadata and journal may touch.
VOLATILE = (
    "/var/log/",
    "/var/lib/systemd/",
    "/home/ansible/.ansible",
    "/root/.ansible",
    "/var/cache/ldconfig",
)


def new_files(lab, host):
    """Files on the host's disk that changed since /run/before was made."""
    done = lab.run(host, ["find", "/", "-xdev", "-newer", "/run/before", "-not", "-type", "d"], timeout=60)
    done.check_returncode()
    return [path for path in done.stdout.splitlines() if not path.startswith(VOLATILE)]


def test_check_on_fresh_hosts_predicts_and_touches_nothing(lab, logs, request):
    if request.config.getoption("--keep-lab"):
        return
    platform = [host for host in lab.env()["hosts"] if host != "world"]
    for host in platform:
        lab.run(host, ["touch", "/run/before"]).check_returncode()
    run = playbook("site.yml", "--check", "--diff", log=logs / "check-fresh.log")
    assert run.rc == 0, run.output[-4000:]
    for predicted in (
        "postgresql-17",
        "haproxy.cfg",
        "nginx.conf",
        "/etc/tandem/services/users/revisions",
        "tandem-postgres",
    ):
        assert predicted in run.output, f"the prediction does not name {predicted}"
    assert all(run.changed[host] > 0 for host in platform), run.hosts_changed
    touched = {host: files for host in platform if (files := new_files(lab, host))}
    assert not touched, touched


def test_deploy(lab, logs):
    run = playbook("site.yml", log=logs / "deploy.log")
    print(f"deploy: {run.seconds:.0f} s")
    assert run.rc == 0, run.output[-6000:]
    wait_settled(lab, 30)


def test_second_run_changes_nothing(lab, logs):
    run = playbook("site.yml", log=logs / "second.log")
    print(f"second run: {run.seconds:.0f} s")
    assert run.rc == 0, run.output[-4000:]
    assert not run.hosts_changed, run.changed_tasks()


def test_check_on_converged_hosts_predicts_nothing(lab, logs):
    run = playbook("site.yml", "--check", "--diff", log=logs / "check-converged.log")
    assert run.rc == 0, run.output[-4000:]
    assert not run.hosts_changed, run.changed_tasks()
