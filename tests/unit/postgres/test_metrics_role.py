"""What the role of exporters may see."""

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_metrics as metrics


def server(*answers):
    """A server that gives these answers, one after the other, and remembers what it was asked."""
    left = list(answers)

    def ask(sql, arguments):
        return left.pop(0)

    return ask


def test_a_fresh_cluster_gets_the_role_without_a_password():
    (step,) = metrics.role_steps(server([]))
    assert step.statements == ("create role tandem_metrics login connection limit 10",)


def test_a_fresh_monitor_gets_the_role_and_what_it_may_see():
    role, nodes, marker = metrics.monitor_steps(server([]))
    assert role.what == "role tandem_metrics"
    for step, function in ((nodes, "cluster_state"), (marker, "guard_marker_seconds")):
        assert step.statements[-2:] == (
            f"revoke all on function tandem.{function}() from public",
            f"grant execute on function tandem.{function}() to tandem_metrics",
        )
        assert "schema pgautofailover" not in "; ".join(step.statements), "its functions change the cluster"


def test_a_monitor_as_wanted_is_left_alone_and_each_difference_is_one_step():
    assert metrics.monitor_steps(server([(1,)], [(True,)], [(True,)])) == []
    (step,) = metrics.monitor_steps(server([(1,)], [(True,)], [(False,)]))
    assert "guard_marker_seconds" in step.what


def test_a_database_as_wanted_is_left_alone():
    assert metrics.inside_steps(server([(True, True, True)]), "orders", "orders_owner") == []


@pytest.mark.parametrize(
    ("row", "what", "statement"),
    [
        ((False, True, True), "state of the outbox", 'owner to "orders_owner"'),
        ((True, False, True), "may connect", 'grant connect on database "orders" to tandem_metrics'),
        ((True, True, False), "may see the leases", "grant select (job, token, host"),
    ],
)
def test_each_difference_is_one_step(row, what, statement):
    (step,) = metrics.inside_steps(server([row]), "orders", "orders_owner")
    assert what in step.what
    assert statement in "; ".join(step.statements)


def test_the_outbox_is_counted_with_the_rights_of_the_databases_owner():
    (step,) = metrics.inside_steps(server([(False, True, True)]), "orders", "orders_owner")
    define, owner, revoked, granted = step.statements
    assert "security definer set search_path = pg_catalog, pg_temp" in define
    assert owner.endswith('owner to "orders_owner"')
    assert revoked.endswith("from public")
    assert granted.endswith("to tandem_metrics")
