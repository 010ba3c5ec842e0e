"""A link and its policy as Git has them, what is there of them, and the clients that write."""
import base64
import copy
import os
import re
import shlex
import subprocess
import time

import yaml

import processes
import sql
from action import Skipped
from api import ApiError, condition
from world import ROOT
from writers import Writer

NS, NAME, DATABASE = "shop", "orders", "shop"
KEPT = ("Role", "RoleBinding", "ServiceAccount", "PodDisruptionBudget")


def declared():
    """Link and policy of examples/postgres-volumes.yaml, whose volumes outlive the link."""
    found = {one["kind"]: one for one in yaml.safe_load_all((ROOT / "examples/postgres-volumes.yaml").read_text())}
    link, policy = found["ReplicationLink"], found["FailoverPolicy"]
    for endpoint in endpoints(link):
        endpoint["postgres"]["managed"].update({"parameters": {"max_connections": "60", "shared_buffers": "16MB"}, "resources": {"requests": {"cpu": "50m"}}})
    return link, policy


def endpoints(link):
    return [link["spec"]["source"], *link["spec"]["targets"]]


def set_parameter(link, name, value, where=None):
    """Everywhere, or at one endpoint."""
    for endpoint in endpoints(link):
        if where in (None, endpoint["name"]):
            endpoint["postgres"]["managed"].setdefault("parameters", {})[name] = value


class Shop:
    """`link` and `policy` are what Git has: actions change them and call apply(). None: not in Git now."""

    ABSENT = "link or policy is absent"

    def __init__(self, world, sight):
        self.world, self.api, self.sight = world, world.api, sight
        self.link, self.policy = declared()
        self.good = copy.deepcopy((self.link, self.policy))  # what heal() goes back to
        self._owner = None
        self.writers = []
        self.past = []  # kind → object, at each quiet moment
        self.unsafe = []  # [from, to] moments between which commits need wait for nobody

    # What people do.

    def apply(self):
        """What Git has; what the API server refuses is an ApiError."""
        for document in (self.link, self.policy):
            if document:
                self.api.apply(document)

    def edit(self, change):
        """`change(link, policy)` for good; Skipped where the API would refuse what came of it, now or once slips are taken back."""
        after = copy.deepcopy(((self.link, self.policy), self.good))
        for link, policy in after:
            change(link, policy)
            if len(link["spec"]["targets"]) < link["spec"]["postgres"]["durability"].get("replicas", 1):
                raise Skipped("Sync would ask for more replicas than there are targets")
        (self.link, self.policy), self.good = after
        self.apply()

    def slip(self, change):
        """`change(link, policy)` that good_again() takes back."""
        change(self.link, self.policy)
        self.apply()

    def good_again(self):
        self.link, self.policy = copy.deepcopy(self.good)


    # What is there.

    def object(self):
        return self.api.get("ReplicationLink", NAME)

    def policy_object(self):
        return self.api.get("FailoverPolicy", NAME)

    def status(self):
        return (self.object() or {}).get("status", {})

    def primary(self):
        return self.status().get("primary", "")

    def names(self):
        return [one["name"] for one in endpoints(self.link)]

    def pod(self, endpoint):
        return self.api.get("Pod", f"{NAME}-{endpoint}-0")

    def resolve(self, role):
        """`primary`, `replica` or `other-replica` to an endpoint by status; None where there is none now."""
        status = self.status()
        primary = status.get("primary", "")
        if role == "primary":
            return primary or None
        replicas = sorted(row["name"] for row in status.get("endpoints", []) if row["name"] != primary)
        at = ("replica", "other-replica").index(role)
        return replicas[at] if at < len(replicas) else None

    def agent(self, endpoint):
        """The pid of the agent, None."""
        pod = self.pod(endpoint)
        return processes.worker(pod["metadata"]["uid"]) if pod else None

    def postmaster(self, endpoint):
        pod = self.pod(endpoint)
        return processes.postmaster(pod["metadata"]["uid"]) if pod else None

    def ask(self, endpoint, statement, database="postgres", seconds=5.0):
        """As superuser of the server of that endpoint's pod."""
        pid = self.postmaster(endpoint)
        if pid not in self.sight.servers():
            raise RuntimeError(f"no server of {endpoint} answers")
        return self.sight.ask(pid, statement, database, seconds)

    # Clients.

    def owner(self):
        secret = self.api.get("Secret", f"{NAME}-owner")
        if secret:
            self._owner = [base64.b64decode(secret["data"][key]).decode() for key in ("username", "password")]
        if not self._owner:
            raise RuntimeError("no owner Secret")
        return self._owner

    def dsn(self, host):
        return sql.dsn(host, *self.owner(), DATABASE, application_name="gardener")

    def by_service(self):
        service = self.api.get("Service", f"{NAME}-rw")
        if not service:
            raise RuntimeError("no Service")
        return self.dsn(service["spec"]["clusterIP"])

    def by_pod(self):
        return self.dsn(self.pod(self.primary())["status"]["podIP"])

    def start_writers(self):
        sql.ask(self.by_service(), "CREATE TABLE IF NOT EXISTS gardener_writes (client text, n bigint, at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (client, n))")
        self.writers = [Writer("service-1", self.by_service), Writer("service-2", self.by_service), Writer("direct", self.by_pod)]

    def stop_writers(self):
        for one in self.writers:
            one.stop()
        for one in self.writers:
            one.join(15)

    def safe_again(self):
        """Sync is in force from now on."""
        now = time.monotonic()
        self.unsafe = [[begin, min(end, now)] for begin, end in self.unsafe]

    def missing(self):
        """Acknowledged writes that the primary does not have, as (client, number)."""
        acknowledged = {one.client: list(one.acknowledged) for one in self.writers}
        stored = sql.ask(self.by_pod(), "SELECT client, n FROM gardener_writes", None, 20)
        have = set(stored)
        safe = lambda at: not any(begin <= at <= end for begin, end in self.unsafe)
        return sorted((client, n) for client, writes in acknowledged.items() for n, at in writes if (client, n) not in have and safe(at))

    # How it is.

    def unsettled(self):
        """What is missing until the link is as Git has it, Ready, and nothing is under way; empty when nothing is."""
        try:
            link, policy = self.object(), self.policy_object()
        except (ApiError, OSError) as error:
            return f"the API: {error}"
        if not link or (self.policy and not policy):
            return self.ABSENT
        status = link.get("status", {})
        rows = {row["name"]: row for row in status.get("endpoints", [])}
        primary = status.get("primary", "")
        told = "; ".join(f"{row['name']} {row['role']} {row['state']} {row.get('message', '')}".strip() for row in rows.values())
        if status.get("observedGeneration") != link["metadata"]["generation"]:
            return f"generation {link['metadata']['generation']} not seen, {status.get('observedGeneration')} was"
        if rows.get(primary, {}).get("state") != "Running":
            return f"no primary runs: {told or 'no endpoint is known'}"
        if sorted(rows) != sorted(self.names()):
            return f"endpoints are {sorted(rows)}"
        behind = [name for name in self.names() if name != primary and rows[name]["state"] != "Streaming"]
        if behind:
            return f"not streaming: {behind}; {told}"
        if condition(link, "Ready").get("status") != "True":
            return f"Ready is {condition(link, 'Ready')}"
        if self.policy:
            if policy.get("status", {}).get("current"):
                return f"a change is under way: {policy['status']['current']}"
            if condition(policy, "Ready").get("status") != "True" or policy["status"].get("observedGeneration") != policy["metadata"]["generation"]:
                return f"the policy's Ready is {condition(policy, 'Ready')}"
            wanted = policy["spec"].get("desiredPrimary", "")
            if wanted not in ("", primary, policy["status"].get("desiredReached", "")):
                return f"{wanted} is to be primary, {primary} is; the policy's Ready is {condition(policy, 'Ready')}"
        return ""

    def silent_writers(self, since):
        return [f"{one.client}: {one.last_error}" for one in self.writers if one.last() <= since]

    def commands(self):
        """What a condition Stalled tells a person to run to decide who is primary."""
        told = [condition(item, "Stalled") for item in (self.object(), self.policy_object())]
        found = [re.findall(r"kubectl [^`\n;]*twinspan\.dev/promote=\S+[^`\n;]*", one["message"]) for one in told if one.get("status") == "True"]
        return sorted({command.strip().rstrip(".") for commands in found for command in commands})

    def decide(self, command):
        """Runs it as it was told, and keeps it in Git."""
        done = subprocess.run([*shlex.split(command)], env={**os.environ, "KUBECONFIG": str(self.world.kubeconfig)}, capture_output=True, text=True, timeout=30)
        promote = re.search(r"twinspan\.dev/promote=(\S+)", command).group(1).strip("\"'.")
        for link in (self.link, self.good[0]):
            link["metadata"].setdefault("annotations", {})["twinspan.dev/promote"] = promote
        return f"{command}: {(done.stdout + done.stderr).strip()}"

    def remember(self):
        self.past.append({"Lease": self.api.get("Lease", f"{NAME}-primary"), "ReplicationLink": self.object(), "FailoverPolicy": self.policy_object()})

    def wait(self, seconds, look, every=0.2):
        """Until `look()` is empty; what it said last."""
        deadline = time.monotonic() + seconds
        while (said := look()) and time.monotonic() < deadline:
            time.sleep(every)
        return said
