"""Find queues in which messages wait although this connection's consumer would take them.

A node that was cut off may lose what a consumer said meanwhile, for one that it wants messages, or that it has
finished some; the connection lives, heartbeats are answered, and nothing comes any more (RabbitMQ before 4.2:
rabbitmq-server#14589, "fix resend issues after network partition"). Only a new connection helps.
"""

import time
from collections.abc import Callable, Sequence

LOOK_SECONDS = 20.0
"""Between two looks; a queue has to be silent for two of them, so the third finds it at the latest."""


class Silence:
    """What came of some queues on one connection. For the thread of that connection only."""

    def __init__(self, queues: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = dict.fromkeys(queues, clock())
        self._held = dict.fromkeys(queues, 0)
        self._waited: dict[str, float] = {}
        """Of queues in which messages waited at the last look: when something had last come of them."""

    def delivered(self, queue: str) -> None:
        """A message came."""
        self._heard[queue] = self._clock()
        self._held[queue] += 1

    def answered(self, queue: str) -> None:
        """A message was acknowledged or given back."""
        self._heard[queue] = self._clock()
        self._held[queue] -= 1

    def silent(self) -> list[str]:
        """Queues to ask about: nothing is in hand, and nothing came since the look before."""
        since = self._clock() - LOOK_SECONDS
        return [name for name, heard in self._heard.items() if not self._held[name] and heard <= since]

    def counted(self, queue: str, messages: int) -> bool:
        """Note how many messages wait for a consumer. True if some did at the look before, too, and none came since."""
        heard = self._heard[queue]
        stuck = bool(messages) and not self._held[queue] and self._waited.get(queue) == heard
        if messages:
            self._waited[queue] = heard
        else:
            self._waited.pop(queue, None)
        return stuck
