"""Silences: what is asked of the Alertmanagers, and what happens without them."""

from datetime import UTC, datetime

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import alert_silences

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Managers:
    """Alertmanagers that pass silences on to each other; some do not answer."""

    def __init__(self, *down):
        self.down = down
        self.silences = {}

    def ask(self, method, url, data):
        server, _, path = url.partition("/api/v2/")
        if server in self.down:
            raise OSError("no route to host")
        if method == "GET":
            return list(self.silences.values())
        if method == "DELETE":
            self.silences[path.partition("/")[2]]["status"]["state"] = "expired"
            return None
        identity = f"id{len(self.silences)}"
        self.silences[identity] = data | {"id": identity, "status": {"state": "active"}}
        return {"silenceID": identity}

    def start(self, host, servers=("https://a", "https://b")):
        return alert_silences.start(servers, self.ask, alert_silences.silence(host, 300, "a restart", NOW))

    def active(self):
        return [key for key, value in self.silences.items() if value["status"]["state"] == "active"]


def test_it_is_of_the_hosts_own_alerts_and_ends():
    assert alert_silences.silence("msk-data1", 300, "a restart", NOW) == {
        "matchers": [{"name": "host", "value": "msk-data1", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-02T03:04:05+00:00",
        "endsAt": "2026-01-02T03:09:05+00:00",
        "createdBy": "tandem",
        "comment": "a restart",
    }


def test_the_first_that_answers_is_enough():
    managers = Managers("https://a")
    assert managers.start("msk-data1") == "id0"
    assert len(managers.silences) == 1


def test_without_any_the_reasons_are_told():
    with pytest.raises(alert_silences.Unanswered, match=r"https://a: no route.*; https://b: no route"):
        Managers("https://a", "https://b").start("msk-data1")
    with pytest.raises(alert_silences.Unanswered, match="no Alertmanager is named"):
        Managers().start("msk-data1", servers=())


def test_only_our_own_silences_of_that_host_end():
    managers = Managers()
    managers.start("msk-data1")
    managers.start("spb-data1")
    managers.start("msk-data1")
    managers.silences["id2"]["createdBy"] = "maria"
    managers.start("msk-data1")
    managers.silences["id3"]["matchers"].append({"name": "alertname", "value": "HostDown"})
    assert alert_silences.end(["https://a"], managers.ask, "msk-data1") == ["id0"]
    assert managers.active() == ["id1", "id2", "id3"]
    assert alert_silences.end(["https://a"], managers.ask, "msk-data1") == []
