"""Metrics, logs and alerts come to a platform that may have been in use without them."""

from tests.support.load import Load
from tests.support.playbook import playbook


def test_a_platform_in_use_gets_metrics_logs_and_alerts(lab, logs):
    """No request fails, whether they are new to it or not."""
    with Load(lab, logs / "observe-load.log", seconds=1200, orders=1, reads=2) as load:
        run = playbook("site.yml", log=logs / "observe.log")
        load.stop()
    print(f"deploy: {run.seconds:.0f} s; {load.summary()}")
    assert run.rc == 0, run.output[-6000:]
    assert load.ledger.failures() == []
    assert load.lost_or_doubled() == []


def test_second_run_changes_nothing(lab, logs):
    run = playbook("site.yml", log=logs / "observe-second.log")
    print(f"second run: {run.seconds:.0f} s")
    assert run.rc == 0, run.output[-4000:]
    assert not run.hosts_changed, run.changed_tasks()
