"""Actions upon operators and the API they work with."""
import signal
import threading

from action import Action, Skipped
from world import ELECTION_SECONDS


class KillOperator(Action):
    weight, outage, lasts = 3, 15.0, True

    def __init__(self, random):
        self.at_once = random.random() < 0.5
        self.number = random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))

    def words(self):
        return f"KillOperator({self.number.name}, {'started at once' if self.at_once else 'away for the burst'})"

    def run(self, shop):
        shop.world.no_operator(self.number)
        if self.at_once:
            shop.world.one_operator()

    @property
    def serves(self):
        return self.at_once

    def leave(self, shop):
        shop.world.one_operator()


class SecondOperator(Action):
    weight, outage, lasts = 2, 15.0, True

    def run(self, shop):
        if len(shop.world.operators) > 2:
            raise Skipped("there are enough")
        shop.world.start_operator()

    def leave(self, shop):
        shop.world.one_operator()


class FrozenOperator(Action):
    """The one that leads stands still until another leads, and comes back: an old one."""

    weight, outage, lasts = 2, 15.0, True

    def __init__(self, random):
        self.longer = random.choice((0.5, 3.0))

    def words(self):
        return f"FrozenOperator({ELECTION_SECONDS + self.longer} s)"

    def run(self, shop):
        leader = shop.world.leader()
        if not leader:
            raise Skipped("nobody leads")
        shop.world.start_operator()
        leader.old = True
        leader.tell(signal.SIGSTOP)
        threading.Timer(ELECTION_SECONDS + self.longer, lambda: leader.tell(signal.SIGCONT)).start()
        return f"operator {leader.number} stands still"

    def leave(self, shop):
        shop.world.one_operator()


class ApiAway(Action):
    weight, outage = 3, 25.0

    def __init__(self, random):
        self.seconds = random.choice((1, 3, 6, 12))
        self.outage = self.seconds + 15.0

    def words(self):
        return f"ApiAway({self.seconds} s)"

    def run(self, shop):
        shop.api.fault({"times": 1}, {"unavailableMilliseconds": 1000 * self.seconds})


class ApiBad(Action):
    """For the burst, some calls fail, come late or are done and then answered with an error, and watches end."""

    weight, outage, lasts = 3, 25.0, True
    BY = {"userAgent": "twinspan-", "times": -1}
    KINDS = {
        "conflicts": ({**BY, "verb": "patch", "probability": 0.3}, {"status": 409}),
        "errors": ({**BY, "probability": 0.15}, {"status": 500}),
        "done and failed": ({**BY, "verb": "patch", "probability": 0.2}, {"writeThenFail": True}),
        "creates done and failed": ({**BY, "verb": "create", "probability": 0.5}, {"writeThenFail": True}),
        "cut watches": ({**BY, "verb": "watch", "probability": 0.2, "after": 1}, {"cutWatch": True}),
        "late": ({**BY, "probability": 0.3}, {"delayMilliseconds": 400}),
    }

    def __init__(self, random):
        self.kind = random.choice(sorted(self.KINDS))

    def words(self):
        return f"ApiBad({self.kind})"

    def run(self, shop):
        shop.api.fault(*self.KINDS[self.kind])

    def leave(self, shop):
        shop.api.no_faults()


ALL = (KillOperator, SecondOperator, FrozenOperator, ApiAway, ApiBad)
