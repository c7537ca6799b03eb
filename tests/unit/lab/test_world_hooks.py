"""The lab's receiver of webhooks keeps what it is sent."""

import json
import urllib.error
import urllib.request
from threading import Thread

import pytest

from lab.world.hooks import receiver


@pytest.fixture
def address():
    server = receiver(("127.0.0.1", 0))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def post(url, body):
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=5) as answer:
        return answer.status


def posts(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["posts"]


def test_posts_are_kept_in_order_and_by_path(address):
    assert posts(f"{address}/posts") == []
    post(f"{address}/alerts", b'{"n": 1}')
    post(f"{address}/dead-man", b'{"n": 2}')
    post(f"{address}/alerts?x=1", b'{"n": 3}')
    assert [(item["path"], item["body"]["n"]) for item in posts(f"{address}/posts")] == [
        ("/alerts", 1),
        ("/dead-man", 2),
        ("/alerts", 3),
    ]
    assert [item["body"]["n"] for item in posts(f"{address}/posts?path=/alerts")] == [1, 3]


def test_what_is_not_json_is_refused(address):
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{address}/alerts", b"hello")
    assert refused.value.code == 400
    assert posts(f"{address}/posts") == []
