"""One ReplicationLink with its FailoverPolicy, as a user declares, watches and changes it."""
import base64
import json

import psycopg2
import yaml

import processes
import sql
from target import ROOT, CommandFailed
from waiting import until, within

GROUP = "/apis/twinspan.dev/v1alpha1"


class Link:
    def __init__(self, target, namespace, manifest="examples/postgres-volumes.yaml", edit=lambda documents: None, policy=True):
        self.target, self.namespace = target, namespace
        self.documents = list(yaml.safe_load_all((ROOT / manifest).read_text()))
        for document in self.documents:
            if document["kind"] == "Namespace":
                document["metadata"]["name"] = namespace
            else:
                document["metadata"]["namespace"] = namespace
        edit({document["kind"]: document for document in self.documents})
        kinds = {document["kind"]: document for document in self.documents}
        self.name = kinds["ReplicationLink"]["metadata"]["name"]
        self.policy_name = kinds["FailoverPolicy"]["metadata"]["name"]
        services = kinds["FailoverPolicy"]["spec"]["services"]
        self.writes = next(one["name"] for one in services if one["selects"] == "Primary")
        self.reads = next(one["name"] for one in services if one["selects"] == "Replicas")
        self.has_policy = policy
        if not policy:
            self.documents.remove(kinds["FailoverPolicy"])
        self._owner = None  # username and password of clients, once they are known
        self._proven = set()  # uids of Services that traffic has come through
        self.hopeless = None  # why a fresh one did not become healthy

    # What is there.

    def object(self):
        return self.target.api.get(f"{GROUP}/namespaces/{self.namespace}/replicationlinks/{self.name}")

    def policy(self):
        return self.target.api.get(f"{GROUP}/namespaces/{self.namespace}/failoverpolicies/{self.policy_name}")

    def status(self):
        return (self.object() or {}).get("status", {})

    def policy_status(self):
        return (self.policy() or {}).get("status", {})

    def endpoints(self):
        return {row["name"]: row for row in self.status().get("endpoints", [])}

    def endpoint_names(self):
        spec = self.object()["spec"]
        return [spec["source"]["name"], *(one["name"] for one in spec["targets"])]

    def primary(self):
        return self.status().get("primary", "")

    def replicas(self):
        primary = self.primary()
        return [name for name in self.endpoint_names() if name != primary]

    def lease(self):
        return self.target.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{self.name}-primary")

    def pod_name(self, endpoint):
        return f"{self.name}-{endpoint}-0"

    def pod(self, endpoint):
        return self.target.api.get(f"/api/v1/namespaces/{self.namespace}/pods/{self.pod_name(endpoint)}")

    def pods(self):
        selector = f"labelSelector=twinspan.dev%2Flink%3D{self.name}"
        found = self.target.api.items(f"/api/v1/namespaces/{self.namespace}/pods?{selector}")
        return {pod["metadata"]["labels"]["twinspan.dev/endpoint"]: pod for pod in found}

    def belongings(self):
        """Everything in the namespace that carries the link's label, as `kind/name`."""
        kinds = "pods,persistentvolumeclaims,secrets,services,configmaps,serviceaccounts,roles,rolebindings,poddisruptionbudgets,leases"
        done = self.target.kubectl("-n", self.namespace, "get", kinds, "-l", f"twinspan.dev/link={self.name}", "-o", "name")
        return sorted(done.stdout.split())

    # How a client reaches it.

    def owner(self):
        if not self._owner:
            name = self.object()["spec"].get("postgres", {}).get("ownerSecretRef", {}).get("name", f"{self.name}-owner")
            secret = self.target.api.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
            self._owner = [base64.b64decode(secret["data"][key]).decode() for key in ("username", "password")]
        return self._owner

    def database(self):
        return self.object()["spec"].get("postgres", {}).get("database", "app")

    def dsn(self, host, **more):
        return sql.dsn(host, *self.owner(), self.database(), **more)

    def service_address(self, seconds=60):
        """Of the Service that leads to the primary; a new one once traffic arrives: kube-proxy takes a second and more to know it."""
        def arrives():
            service = self.target.api.get(f"/api/v1/namespaces/{self.namespace}/services/{self.writes}")
            if not service:
                return "there is no such Service"
            address, uid = service["spec"]["clusterIP"], service["metadata"]["uid"]
            if uid not in self._proven:
                try:
                    sql.ask(self.dsn(address), "SELECT 1", seconds=2)
                except psycopg2.Error as error:
                    return str(error)
                self._proven.add(uid)
            return (address,)
        return until(f"Service {self.namespace}/{self.writes} leads somewhere", arrives, seconds)[0]

    def service_dsn(self, **more):
        return self.dsn(self.service_address(), **more)

    def instance_dsn(self, endpoint, **more):
        return self.dsn(self.pod(endpoint)["status"]["podIP"], **more)

    # What people do with it.

    def apply(self):
        self.target.kubectl("apply", "--server-side", "-f", "-", feed=yaml.safe_dump_all(self.documents))

    def change(self, patch):
        self._patch("replicationlink", self.name, patch)

    def with_parameters(self, parameters):
        """The merge patch that gives every endpoint these parameters besides those it has; None takes one away."""
        spec = self.object()["spec"]
        for endpoint in (spec["source"], *spec["targets"]):
            managed = endpoint["postgres"]["managed"]
            after = {**managed.get("parameters", {}), **parameters}
            # A list is replaced as a whole, an object is merged: there null takes away.
            managed["parameters"] = after if endpoint is spec["source"] else {name: value for name, value in after.items() if value is not None}
        return {"spec": {"source": spec["source"], "targets": spec["targets"]}}

    def change_policy(self, patch):
        self._patch("failoverpolicy", self.policy_name, patch)

    def _patch(self, kind, name, patch):
        self.target.kubectl("-n", self.namespace, "patch", kind, name, "--type=merge", "-p", json.dumps(patch))

    def prune(self, seconds=60):
        """Deletes link and policy, as GitOps does with what is in its repository no more."""
        self.target.kubectl("-n", self.namespace, "delete", "replicationlink,failoverpolicy", "--all",
                            f"--timeout={seconds}s", "--ignore-not-found", seconds=seconds + 10)

    def remove(self, seconds=60):
        """Deletes link and policy, and then the namespace with whatever is left."""
        try:
            self.prune(seconds)
        except CommandFailed as error:
            print(f"  {error}", flush=True)
        self.target.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=60s", seconds=70)

    def start_over(self):
        self.remove()
        self._owner = None
        self.apply()
        try:
            self.wait_healthy(90)
        except AssertionError as error:
            self.hopeless = str(error)
            raise

    # Waiting for what should become of it.

    def unhealthy(self):
        """What is missing until the link is as declared, Ready, and nothing is under way; True when nothing is."""
        link, policy = self.object(), self.policy()
        if not link or self.has_policy and not policy:
            return "link or policy is absent"
        status = link.get("status", {})
        rows = {row["name"]: row for row in status.get("endpoints", [])}
        primary = status.get("primary", "")
        told = ", ".join(f"{row['name']} {row['role']} {row['state']} {row.get('message', '')}".strip() for row in rows.values())
        if status.get("observedGeneration") != link["metadata"]["generation"]:
            return f"the operator has not seen generation {link['metadata']['generation']}; {told}"
        if rows.get(primary, {}).get("state") != "Running":
            return f"no primary runs: {told or 'no endpoint is known'}"
        wanted = [one["name"] for one in link["spec"]["targets"]] + [link["spec"]["source"]["name"]]
        if sorted(rows) != sorted(wanted):
            return f"endpoints are {sorted(rows)}"
        behind = [name for name in wanted if name != primary and rows[name]["state"] != "Streaming"]
        if behind:
            return f"not streaming: {behind}; {told}"
        ready = condition(link, "Ready")
        if ready.get("status") != "True":
            return f"Ready is {ready}"
        if not self.has_policy:
            return True
        if policy.get("status", {}).get("current"):
            return f"a change is under way: {policy['status']['current']}"
        if condition(policy, "Ready").get("status") != "True":
            return f"the policy's Ready is {condition(policy, 'Ready')}"
        return True

    def wait_healthy(self, seconds=90):
        return within(f"link {self.namespace}/{self.name} healthy", self.unhealthy, seconds)

    def wait_primary(self, allowed, seconds=90):
        """Until the primary is one of `allowed`; its name."""
        probe = lambda: (now,) if (now := self.primary()) in allowed else f"primary is {now!r}, wanted {allowed}"
        return until(f"a primary of {self.name}", probe, seconds, every=0.05)[0]

    def wait_history(self, old, new, seconds=60):
        """Until the policy's newest record is that of this change, not of one before; the record."""
        def newest():
            record = next(iter(self.policy_status().get("history", [])), {})
            return record if (record.get("from"), record.get("to")) == (old, new) else f"the newest record is {record}"
        return until(f"{old} -> {new} in the policy's history", newest, seconds)

    def wait_replica(self, endpoint, seconds):
        """Until the endpoint streams as a replica of another; how long it took."""
        def streams():
            row = self.endpoints().get(endpoint, {})
            good = row.get("role") == "Replica" and row.get("state") == "Streaming" and self.primary() not in ("", endpoint)
            return good or f"{row}"
        return within(f"{endpoint} streams as a replica", streams, seconds)

    # Faults.

    def postmaster(self, endpoint):
        pid = processes.postmaster(self.pod(endpoint)["metadata"]["uid"])
        assert pid, f"no postmaster of {endpoint} on this machine"
        return pid

    def agent(self, endpoint):
        pid = processes.worker(self.pod(endpoint)["metadata"]["uid"])
        assert pid, f"no agent of {endpoint} on this machine"
        return pid


def condition(item, kind):
    for one in item.get("status", {}).get("conditions", []):
        if one["type"] == kind:
            return one
    return {}
