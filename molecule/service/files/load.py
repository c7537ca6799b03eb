"""Load through the door, as an edge makes it: open loop, and only while the door's health check says yes.

Usage: load.py NAME. Goes on until the file /run/NAME.stop is there, ten minutes at most. Prints one JSON object:
requests sent and failed per service, and how often the door was down.
"""

import http.client
import json
import sys
import threading
import time
from pathlib import Path

MOST_SECONDS = 600
PORT = 7443
RATE = 10.0
CHECK_SECONDS, FALL, RISE = 1.0, 2, 2
PATHS = {
    "hello": ["/hello/", "/hello/slow/0.3"],
    "solo": ["/hello/"],
    "watched": ["/hello/", "/hello/slow/0.3"],
}


def ask(service, path):
    """Return the status of a request, 0 when there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        connection.request("GET", path, headers={"X-Tandem-Service": service, "Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError as error:
        return str(error)
    finally:
        connection.close()


class Service:
    """One service behind the door, with an edge's view of its health."""

    def __init__(self, name):
        self.name, self.up, self.streak, self.downs = name, True, 0, 0
        self.sent, self.failed = 0, []

    def check(self, goes_on):
        while goes_on():
            good = ask(self.name, f"/.well-known/tandem/health/{self.name}") == 200
            self.streak = self.streak + 1 if good != self.up else 0
            if self.streak >= (FALL if self.up else RISE):
                self.up, self.streak = good, 0
                self.downs += not good
            time.sleep(CHECK_SECONDS)

    def request(self, path):
        status = ask(self.name, path)
        if status != 200:
            self.failed.append([round(time.time(), 2), path, status])

    def load(self, goes_on):
        number = 0
        started = time.monotonic()
        while goes_on():
            if self.up:
                path = PATHS[self.name][number % len(PATHS[self.name])]
                threading.Thread(target=self.request, args=[path]).start()
                self.sent += 1
            number += 1
            time.sleep(max(0, started + number / RATE - time.monotonic()))


def main():
    until, stop = time.monotonic() + MOST_SECONDS, Path(f"/run/{sys.argv[1]}.stop")

    def goes_on():
        return time.monotonic() < until and not stop.exists()

    services = [Service(name) for name in PATHS]
    for service in services:
        threading.Thread(target=service.check, args=[goes_on]).start()
        threading.Thread(target=service.load, args=[goes_on]).start()
    print("started", flush=True)
    while threading.active_count() > 1:
        time.sleep(0.1)
    print(json.dumps({s.name: {"sent": s.sent, "failed": s.failed, "downs": s.downs} for s in services}))


main()
