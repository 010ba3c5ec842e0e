"""An S3 link between two servers of this machine: everything arrives, a killed worker carries on, both sides are proven equal; a bucket that
dies is replaced by the other, and comes back.

The servers are MinIO and Versity S3 Gateway with TLS where `e2e/cluster build minio` has built them, else the one in memory, without.
"""
import base64
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

import figures
import processes
from target import ROOT
from waiting import until, within

sys.path.insert(0, str(ROOT / "tests/outages"))
import servers  # noqa: E402
from s3api import S3  # noqa: E402

pytestmark = pytest.mark.needs("node", "helm")
OBJECTS = 2000
BUCKETS = ("e2e-sgp", "e2e-nyc")
LINK = "/apis/twinspan.dev/v1alpha1/namespaces/backups/replicationlinks/backups-sgp-nyc"


@dataclasses.dataclass
class Side:
    """A running server and the bucket in it."""
    bucket: str
    s3: S3
    ca: str | None
    pid: int

    def stop_answering(self):
        os.kill(self.pid, signal.SIGSTOP)

    def answer_again(self):
        os.kill(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def in_memory(node, _folder):
    """S3 servers in memory, without TLS."""
    program = ROOT / os.environ.get("E2E_BIN", "build/release/bin") / "twinspan-s3-stub"
    running = []
    try:
        for bucket in BUCKETS:
            running.append(subprocess.Popen([program, "--address=0.0.0.0", f"--bucket={bucket}"], stdout=subprocess.PIPE, text=True,
                                            env={**os.environ, "S3_ACCESS_KEY": "e2e", "S3_SECRET_KEY": "secret-of-the-stub"}))
        yield [Side(bucket, S3(f"http://{node}:{one.stdout.readline().rsplit(':', 1)[1].strip()}", "e2e", "secret-of-the-stub"), None, one.pid)
               for bucket, one in zip(BUCKETS, running)]
    finally:
        for one in running:
            one.kill()  # also one that was stopped
            one.wait(10)


@contextlib.contextmanager
def real(node, folder):
    """MinIO and Versity S3 Gateway, with TLS and an authority of their own."""
    authority = servers.Authority(folder / "ca")
    running = []
    try:
        for kind, bucket in zip((servers.Minio, servers.Versity), BUCKETS):
            running.append(kind(authority, folder / kind.kind, host=node))
            running[-1].s3.make_bucket(bucket)
        yield [Side(bucket, one.s3, authority.ca.read_text(), one.pid) for bucket, one in zip(BUCKETS, running)]
    finally:
        for one in running:
            os.kill(one.pid, signal.SIGCONT)
            one.stop()


def secret(name, **values):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "backups"},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


def status(target):
    return (target.api.get(LINK) or {}).get("status", {})


def synced(target):
    seen = status(target)
    ready = next((one["status"] for one in seen.get("conditions", []) if one["type"] == "Ready"), "absent")
    sync = seen.get("sync", {})
    if ready == "True" and sync.get("total", 0) >= OBJECTS and sync.get("failed", 1) == 0:
        return sync
    return f"Ready is {ready}, sync is {sync}"


def verified(target, request):
    target.kubectl("annotate", "-n", "backups", "replicationlink", "backups-sgp-nyc", "--overwrite", f"twinspan.dev/verify={request}")

    def answered():
        seen = status(target).get("verification", {})
        return seen if seen.get("request") == request and "finishedAt" in seen else f"verification is {seen}"

    return until(f"verification {request}", answered, 270)


@contextlib.contextmanager
def mirrored(target, folder, changed=lambda link, policy: [link]):
    """The link of examples/ between two servers, in sync; yields both sides, what kind of servers they are, and what was applied."""
    node = next(address["address"] for address in target.api.items("/api/v1/nodes")[0]["status"]["addresses"]
                if address["type"] == "InternalIP")
    link, policy = yaml.safe_load_all((ROOT / "examples/s3.yaml").read_text())
    kind = "S3 in memory" if servers.missing() else "MinIO → Versity, TLS"
    with (in_memory if servers.missing() else real)(node, folder) as sides:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: sides[0].s3.put(sides[0].bucket, f"{i % 100:03}/{i:07}", f"object {i}".encode()), range(OBJECTS)))
        documents = []
        for endpoint, name, side in zip((link["spec"]["source"], link["spec"]["targets"][0]), ("sgp", "nyc"), sides):
            endpoint["s3"].update(endpoint=side.s3.endpoint, bucket=side.bucket, region="us-east-1")
            documents.append(secret(f"spaces-{name}", accessKeyId=side.s3.access_key, secretAccessKey=side.s3.secret_key))
            if side.ca:
                endpoint["s3"]["caSecretRef"] = {"name": f"ca-{name}"}
                documents.append(secret(f"ca-{name}", **{"ca.crt": side.ca}))
        target.kubectl("create", "namespace", "backups")
        try:
            documents += changed(link, policy)
            target.kubectl("apply", "-f", "-", feed=yaml.safe_dump_all(documents))
            took = within("every object arrives", lambda: synced(target), 360)
            figures.record(f"S3 ({kind}): apply to {OBJECTS} objects mirrored and Ready", took, "s", "< 120")
            yield sides, kind, documents
        finally:
            target.kubectl("delete", "namespace", "backups", "--timeout=60s", check=False, seconds=70)


def test_a_bucket_is_mirrored_verified_and_carried_on_by_a_new_worker(target, operators, tmp_path):
    with mirrored(target, tmp_path):
        seen = verified(target, "one")
        assert seen["consistent"] is True and seen["checked"] == OBJECTS, seen
        pods = target.api.items("/api/v1/namespaces/backups/pods?labelSelector=twinspan.dev%2Flink%3Dbackups-sgp-nyc")
        workers = [pid for pid in (processes.worker(pod["metadata"]["uid"], "twinspan-s3-worker") for pod in pods) if pid]
        assert workers, "no worker of the link on this machine"
        for worker in workers:
            processes.kill(worker)
        seen = verified(target, "after-the-kill")
        assert seen["consistent"] is True and seen["checked"] == OBJECTS, seen
        until("Ready again", lambda: synced(target), 180)
        target.kubectl("delete", "-n", "backups", "replicationlink", "backups-sgp-nyc", "--timeout=60s", seconds=70)

        def nothing():  # the garbage collector works in the background
            left = target.kubectl("get", "-n", "backups", "statefulsets,leases,pdb,roles", "-l", "twinspan.dev/link=backups-sgp-nyc",
                                  "-o", "name").stdout.split()
            return not left or f"{left}"

        within("nothing of the link is left but pods", nothing, 60)


def told(target):
    """Where clients are sent: by the ConfigMap, and by the Service's alias."""
    core = "/api/v1/namespaces/backups"
    map_ = target.api.get(f"{core}/configmaps/backups-where") or {}
    service = target.api.get(f"{core}/services/backups") or {}
    return map_.get("data", {}).get("primary"), map_.get("data", {}).get("bucket"), service.get("spec", {}).get("externalName")


def policy_status(target):
    return (target.api.get("/apis/twinspan.dev/v1alpha1/namespaces/backups/failoverpolicies/backups") or {}).get("status", {})


AT_SGP = ("sgp", BUCKETS[0], "sgp1.digitaloceanspaces.com")
AT_NYC = ("nyc", BUCKETS[1], "nyc3.digitaloceanspaces.com")


def quick(link, policy):
    policy["spec"].update(triggers={"unreachableSeconds": 3, "consecutiveFailures": 3}, failback={"mode": "Automatic", "stableSeconds": 5})
    link["spec"]["s3"].update(listingIntervalSeconds=2, workers=2)  # each with its share of the keys
    return [link, policy]


def sent_to(target, where, seconds):
    return within(f"clients are sent to {where[0]}", lambda: told(target) == where or f"{told(target)} {policy_status(target)}", seconds)


def test_a_link_pruned_and_applied_again_after_a_switchover_overwrites_nothing(target, operators, tmp_path):
    def stays(link, policy):
        quick(link, policy)
        policy["spec"]["failback"] = {"mode": "Manual"}
        link["spec"]["s3"]["deletes"] = {"mode": "Replicate"}
        return [link, policy]

    with mirrored(target, tmp_path, stays) as ((sgp, nyc), _, documents):
        sgp.s3.put(sgp.bucket, "changed", b"before")
        sent_to(target, AT_SGP, 60)
        target.kubectl("patch", "-n", "backups", "failoverpolicy", "backups", "--type=merge", "-p", '{"spec":{"desiredPrimary":"nyc"}}')
        sent_to(target, AT_NYC, 120)
        target.kubectl("delete", "-n", "backups", "replicationlink,failoverpolicy", "--all", "--timeout=60s", seconds=70)
        nyc.s3.put(nyc.bucket, "changed", b"after")
        nyc.s3.put(nyc.bucket, "new", b"while no link was there")
        target.kubectl("apply", "-f", "-", feed=yaml.safe_dump_all(documents))
        until("what was written at nyc is at sgp", lambda: "new" in sgp.s3.list(sgp.bucket) or f"not yet; {status(target)}", 270)
        until("Ready again", lambda: synced(target), 90)
        assert verified(target, "applied-again")["consistent"] is True
        for side in (sgp, nyc):
            assert (side.s3.get(side.bucket, "changed"), side.s3.get(side.bucket, "new")) == (b"after", b"while no link was there"), side.bucket
        sent_to(target, AT_NYC, 60)  # where they had written to


def test_clients_move_when_a_bucket_dies_and_return_without_a_loss(target, operators, tmp_path):
    with mirrored(target, tmp_path, quick) as ((sgp, nyc), kind, _):
        until("clients are sent to sgp, and nyc could take over",
              lambda: (told(target) == AT_SGP and policy_status(target).get("possible") == "True") or f"{told(target)} {policy_status(target)}", 60)
        target.kubectl("annotate", "-n", "backups", "failoverpolicy", "backups", "twinspan.dev/drill=one")
        drill = until("the rehearsal is over", lambda: (lambda one: one if "finishedAt" in one else f"{one}")(policy_status(target).get("drill", {})), 60)
        assert drill["outcome"] == "Passed", drill
        figures.record(f"S3 ({kind}): rehearsal, written to given back by the target", drill["arrivalMilliseconds"], "ms")
        sgp.s3.put(sgp.bucket, "changed-on-both-sides", b"in Singapore, before")
        until("it is carried", lambda: "changed-on-both-sides" in nyc.s3.list(nyc.bucket) or "not yet", 90)
        sgp.stop_answering()
        took = sent_to(target, AT_NYC, 60)
        figures.record(f"S3 ({kind}): bucket silent to clients told of the other", took, "s", "< 15")
        assert figures.holds(took, 15)
        nyc.s3.put(nyc.bucket, "written-in-new-york", b"while Singapore was away")
        nyc.s3.put(nyc.bucket, "changed-on-both-sides", b"in New York, after")
        done = until("the history tells of it", lambda: policy_status(target).get("history") or f"{policy_status(target)}", 90)
        assert (done[0]["outcome"], done[0]["from"], done[0]["to"], done[0]["missingKeys"]) == ("Completed", "sgp", "nyc", 0), done
        sgp.answer_again()
        took = sent_to(target, AT_SGP, 120)  # once both sides are reconciled
        figures.record(f"S3 ({kind}): bucket back to reconciled and clients led back (stable for 5 s)", took, "s", "< 60")
        assert sgp.s3.get(sgp.bucket, "written-in-new-york") == b"while Singapore was away"
        assert sgp.s3.get(sgp.bucket, "changed-on-both-sides") == b"in New York, after"
        until("the switchover is in the history, without a loss",
              lambda: [(one["outcome"], one["to"]) for one in policy_status(target)["history"]][:2] == [("Completed", "sgp"), ("Completed", "nyc")]
              and policy_status(target)["history"][0]["missingKeys"] == 0 or f"{policy_status(target)}", 90)
        until("Ready again", lambda: synced(target), 60)
        seen = verified(target, "in-the-end")
        assert seen["consistent"] is True and seen["checked"] == OBJECTS + 2, seen
        assert set(sgp.s3.list(sgp.bucket)) == set(nyc.s3.list(nyc.bucket))
