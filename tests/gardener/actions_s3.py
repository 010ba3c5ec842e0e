"""Actions upon an S3 link."""
import signal
import time

import processes
from action import Action, Skipped
from actions_control import ApiAway, ApiBad, FrozenOperator, KillOperator, SecondOperator
from actions_pods import kill
from depot import NAME, SIDES, WHERE


class Move(Action):
    weight = 4

    def __init__(self, random):
        self.to = random.choice(sorted(SIDES))

    def words(self):
        return f"Move({self.to})"

    def run(self, depot):
        depot.edit(lambda _, policy: policy["spec"].__setitem__("desiredPrimary", self.to))


class StaleMove(Move):
    """The client's mounted ConfigMap is old: it goes on at the former primary for a while."""

    weight = 2

    def __init__(self, random):
        super().__init__(random)
        self.seconds = random.choice((5, 15))

    def words(self):
        return f"StaleMove({self.to}, {self.seconds} s)"

    def run(self, depot):
        depot.client.stale_until = time.monotonic() + self.seconds
        super().run(depot)


class Prune(Action):
    """Link and policy are pruned, clients go on where they were sent, and all is applied again at the burst's end."""

    weight, group = 4, "slip"

    def run(self, depot):
        where = depot.where()
        for kind in ("ReplicationLink", "FailoverPolicy"):
            depot.api.delete(kind, NAME)
        said = depot.wait(30, lambda: "it is still there" if depot.object() else "")
        return f"clients were at {where or 'no place'}; {said or 'gone'}"


class KillWorker(Action):
    weight = 3

    def run(self, depot):
        pids = [pid for pid in processes.with_program("twinspan-s3-worker") if str(depot.world.data).encode() in open(f"/proc/{pid}/cmdline", "rb").read()]
        if not pids:
            raise Skipped("no worker runs")
        kill(pids[0], signal.SIGKILL)


class DeleteWorkerPod(Action):
    def run(self, depot):
        depot.api.delete("Pod", f"{NAME}-s3-0")


class DeleteShareLease(Action):
    def run(self, depot):
        depot.api.delete("Lease", f"{NAME}-s3-0")


class DeleteWhere(Action):
    def run(self, depot):
        depot.api.delete("ConfigMap", WHERE)


class DriftWhere(Action):
    """Somebody writes the other bucket into the ConfigMap's data, half of it."""

    weight = 1

    def run(self, depot):
        depot.api.patch("ConfigMap", WHERE, {"data": {"region": "nowhere"}})


class WipeLinkStatus(Action):
    def __init__(self, random):
        self.fields = random.choice((("assignment",), ("assignment", "primary", "endpoints", "sync"), ("division",)))

    def words(self):
        return f"WipeLinkStatus({', '.join(self.fields)})"

    def run(self, depot):
        depot.api.patch("ReplicationLink", NAME, {"status": {field: None for field in self.fields}}, "status")


class WipePolicyStatus(Action):
    def run(self, depot):
        status = (depot.policy_object() or {}).get("status", {})
        depot.api.patch("FailoverPolicy", NAME, {"status": {field: None for field in status}}, "status")


class ServerAway(Action):
    """Its server stands still: shortly, or for so long that clients are sent to the other."""

    weight = 3

    def __init__(self, random):
        self.side, self.seconds = random.choice(sorted(SIDES)), random.choice((2, 12))

    def words(self):
        return f"ServerAway({self.side}, {self.seconds} s)"

    def run(self, depot):
        depot.freeze(self.side, self.seconds)
        depot.unclean.append(time.monotonic() + self.seconds)


class Workers(Action):
    def __init__(self, random):
        self.count = random.choice((1, 2, 3))

    def words(self):
        return f"Workers({self.count})"

    def run(self, depot):
        depot.edit(lambda link, _: link["spec"]["s3"].__setitem__("workers", self.count))


class PauseLink(Action):
    group = "slip"

    def run(self, depot):
        depot.slip(lambda link, _: link["spec"].__setitem__("paused", True))


ALL = (Move, StaleMove, Prune, KillWorker, DeleteWorkerPod, DeleteShareLease, DeleteWhere, DriftWhere, WipeLinkStatus, WipePolicyStatus, ServerAway, Workers, PauseLink,
       ApiAway, ApiBad, FrozenOperator, KillOperator, SecondOperator)
