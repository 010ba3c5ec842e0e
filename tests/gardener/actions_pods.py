"""Actions upon processes, pods and the objects that Twinspan made."""
import os
import signal
import threading

from action import Action, Of, Skipped
from api import ApiError
from shop import KEPT, NAME


def kill(pid, number=signal.SIGKILL):
    if pid is None:
        raise Skipped("there is no such process now")
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise Skipped("the process is gone") from None


class KillPostgres(Of):
    weight, outage = 4, 15.0

    def run(self, shop):
        endpoint = self.endpoint(shop)
        kill(shop.postmaster(endpoint))
        return f"killed the postmaster of {endpoint}"


class KillAgent(Of):
    outage = 20.0

    def run(self, shop):
        endpoint = self.endpoint(shop)
        kill(shop.agent(endpoint))
        return f"killed the agent of {endpoint}"


class Freeze(Of):
    """Agent, guard and PostgreSQL stand still for a while, as a machine that was suspended."""

    outage = 25.0

    def __init__(self, random):
        super().__init__(random)
        self.seconds = random.choice((1, 4, 9, 14))

    def words(self):
        return f"Freeze({self.role}, {self.seconds} s)"

    def run(self, shop):
        endpoint = self.endpoint(shop)
        agent = shop.agent(endpoint)
        if agent is None:
            raise Skipped("no agent runs")
        frozen = _family(agent)
        for pid in frozen:
            _signal(pid, signal.SIGSTOP)
        threading.Timer(self.seconds, lambda: [_signal(pid, signal.SIGCONT) for pid in frozen]).start()
        return f"{endpoint} stands still"


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _family(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(open(f"/proc/{entry}/stat", "rb").read().rsplit(b")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry))
            except OSError:
                pass
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


class DeletePod(Of):
    weight, outage = 4, 25.0

    def __init__(self, random):
        super().__init__(random)
        self.force = random.random() < 0.4

    def words(self):
        return f"DeletePod({self.role}{', force' if self.force else ''})"

    def run(self, shop):
        endpoint = self.endpoint(shop)
        if not shop.api.delete("Pod", f"{NAME}-{endpoint}-0", 0 if self.force else None):
            raise Skipped("the pod is gone")
        return f"deleted the pod of {endpoint}"


class LoseVolume(Of):
    """A claim and its pod are deleted: a replica is cloned anew, a primary is failed over from. Only where everybody else has everything."""

    group, outage, may_wait_for_person = "volume", 40.0, True  # with what else befalls the link in the same burst

    def run(self, shop):
        if shop.unsettled():
            raise Skipped("not everybody streams")
        endpoint = self.endpoint(shop)
        shop.api.delete("PersistentVolumeClaim", f"{NAME}-{endpoint}-data")
        shop.api.delete("Pod", f"{NAME}-{endpoint}-0")
        return f"deleted claim and pod of {endpoint}"


class DeleteLease(Action):
    outage, forgets = 30.0, True

    def run(self, shop):
        shop.api.delete("Lease", f"{NAME}-primary")


class FreeLease(Action):
    """Somebody takes the holder out of the Lease by hand."""

    outage, forgets = 30.0, True

    def run(self, shop):
        shop.api.patch("Lease", f"{NAME}-primary", {"spec": {"holderIdentity": ""}})


class LowerLease(Action):
    """Somebody sets leaseTransitions back."""

    outage, may_wait_for_person, forgets = 30.0, True, True

    def run(self, shop):
        shop.api.patch("Lease", f"{NAME}-primary", {"spec": {"leaseTransitions": 0}})


class DeleteSecret(Of):
    outage = 10.0

    def __init__(self, random):
        super().__init__(random)
        self.which = random.choice(("tls", "tls", "ca"))

    def words(self):
        return f"DeleteSecret({self.which if self.which != 'tls' else 'tls of ' + self.role})"

    def run(self, shop):
        name = f"{NAME}-{self.endpoint(shop)}-tls" if self.which == "tls" else f"{NAME}-{self.which}"
        shop.api.delete("Secret", name)
        return f"deleted {name}"


class DeleteOwnerSecret(Action):
    """Clients need the new password then."""

    weight, outage = 1, 30.0

    def run(self, shop):
        shop.api.delete("Secret", f"{NAME}-owner")


class DeleteService(Action):
    outage = 10.0

    def __init__(self, random):
        self.which = random.choice(("rw", "ro"))

    def words(self):
        return f"DeleteService({self.which})"

    def run(self, shop):
        shop.api.delete("Service", f"{NAME}-{self.which}")


class DriftService(Action):
    """Somebody points a Service somewhere else."""

    outage = 10.0

    def __init__(self, random):
        self.which = random.choice(("rw", "ro"))

    def words(self):
        return f"DriftService({self.which})"

    def run(self, shop):
        shop.api.patch("Service", f"{NAME}-{self.which}", {"spec": {"selector": {"twinspan.dev/endpoint": "nowhere"}}})


class DeleteBelonging(Action):
    outage = 10.0

    def __init__(self, random):
        self.kind = random.choice(KEPT)

    def words(self):
        return f"DeleteBelonging({self.kind})"

    def run(self, shop):
        for item in shop.api.list(self.kind, f"twinspan.dev/link={NAME}"):
            shop.api.delete(self.kind, item["metadata"]["name"])


class WipeStatus(Action):
    """A status restored from nothing, as backup tools do."""

    outage = 30.0

    def __init__(self, random):
        self.what = random.choice(("link", "policy", "assignment"))

    def words(self):
        return f"WipeStatus({self.what})"

    def run(self, shop):
        kind = "FailoverPolicy" if self.what == "policy" else "ReplicationLink"
        item = shop.policy_object() if self.what == "policy" else shop.object()
        if not item:
            raise Skipped("it is not there")
        fields = ("assignment",) if self.what == "assignment" else tuple(item.get("status", {}))
        shop.api.patch(kind, NAME, {"status": {field: None for field in fields}}, "status")


class RestoreOlder(Action):
    """Somebody puts back an object as it was some quiet moments ago, as backup tools do."""

    weight, outage, may_wait_for_person = 3, 30.0, True

    def __init__(self, random):
        self.kind, self.ago = random.choice(("Lease", "ReplicationLink", "FailoverPolicy")), random.choice((1, 2, 4))

    def words(self):
        return f"RestoreOlder({self.kind}, {self.ago} ago)"

    @property
    def forgets(self):
        return self.kind == "Lease"

    def run(self, shop):
        past = [one[self.kind] for one in shop.past if one.get(self.kind)][:-1]  # the last one is as it is now
        now = shop.api.get(self.kind, f"{NAME}-primary" if self.kind == "Lease" else NAME)
        if not past or not now:
            raise Skipped("there is no older one, or none now")
        older = past[max(0, len(past) - self.ago)]
        if self.kind == "Lease":
            now["metadata"]["annotations"], now["spec"] = older["metadata"].get("annotations", {}), older["spec"]
        else:
            now["status"] = older.get("status", {})
        path = shop.api.path(self.kind, now["metadata"]["name"], "" if self.kind == "Lease" else "status")
        for _ in range(5):
            try:
                shop.api.call("PUT", path, now)
                return f"as it was {self.ago} quiet moments ago"
            except ApiError as error:
                if error.status != 409:
                    raise
                now["metadata"]["resourceVersion"] = shop.api.get(self.kind, now["metadata"]["name"])["metadata"]["resourceVersion"]
        raise Skipped("somebody else writes it all the time")


ALL = (KillPostgres, KillAgent, Freeze, DeletePod, LoseVolume, DeleteLease, FreeLease, LowerLease, DeleteSecret, DeleteOwnerSecret, DeleteService,
       DriftService, DeleteBelonging, WipeStatus, RestoreOlder)
