"""An S3 link between two servers of this machine: everything arrives, a killed worker carries on, both sides are proven equal.

The servers are MinIO and Versity S3 Gateway with TLS where `e2e/cluster build minio` has built them, else the one in memory, without.
"""
import base64
import contextlib
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

pytestmark = pytest.mark.needs("node", "helm")
OBJECTS = 2000
LINK = "/apis/twinspan.dev/v1alpha1/namespaces/backups/replicationlinks/backups-sgp-nyc"


@contextlib.contextmanager
def server(bucket, *arguments):
    """An S3 server in memory; yields its port."""
    program = ROOT / os.environ.get("E2E_BIN", "build/release/bin") / "twinspan-s3-stub"
    running = subprocess.Popen([program, "--address=0.0.0.0", f"--bucket={bucket}", *arguments], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "S3_ACCESS_KEY": "e2e", "S3_SECRET_KEY": f"secret-of-{bucket}"})
    try:
        yield int(running.stdout.readline().rsplit(":", 1)[1])
    finally:
        running.terminate()
        running.wait(10)


@contextlib.contextmanager
def in_memory(node, _folder):
    with server("e2e-sgp", f"--objects={OBJECTS}") as sgp, server("e2e-nyc") as nyc:
        yield [(f"http://{node}:{port}", "e2e", f"secret-of-{bucket}", None) for bucket, port in (("e2e-sgp", sgp), ("e2e-nyc", nyc))]


@contextlib.contextmanager
def real(node, folder):
    authority = servers.Authority(folder / "ca")
    running = []
    try:
        for kind, bucket in ((servers.Minio, "e2e-sgp"), (servers.Versity, "e2e-nyc")):
            running.append(kind(authority, folder / kind.kind, host=node))
            running[-1].s3.make_bucket(bucket)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: running[0].s3.put("e2e-sgp", f"{i % 100:03}/{i:07}", f"object {i}".encode()), range(OBJECTS)))
        yield [(one.endpoint, servers.ACCESS_KEY, servers.SECRET_KEY, authority.ca.read_text()) for one in running]
    finally:
        for one in running:
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

    return until(f"verification {request}", answered, 90)


def test_a_bucket_is_mirrored_verified_and_carried_on_by_a_new_worker(target, operators, tmp_path):
    node = next(address["address"] for address in target.api.items("/api/v1/nodes")[0]["status"]["addresses"]
                if address["type"] == "InternalIP")
    link = next(yaml.safe_load_all((ROOT / "examples/s3.yaml").read_text()))
    kind = "S3 in memory" if servers.missing() else "MinIO → Versity, TLS"
    with (in_memory if servers.missing() else real)(node, tmp_path) as sides:
        documents = []
        for endpoint, name, bucket, (url, access_key, secret_key, ca) in zip(
                (link["spec"]["source"], link["spec"]["targets"][0]), ("sgp", "nyc"), ("e2e-sgp", "e2e-nyc"), sides):
            endpoint["s3"].update(endpoint=url, bucket=bucket, region="us-east-1")
            documents.append(secret(f"spaces-{name}", accessKeyId=access_key, secretAccessKey=secret_key))
            if ca:
                endpoint["s3"]["caSecretRef"] = {"name": f"ca-{name}"}
                documents.append(secret(f"ca-{name}", **{"ca.crt": ca}))
        target.kubectl("create", "namespace", "backups")
        try:
            target.kubectl("apply", "-f", "-", feed=yaml.safe_dump_all([*documents, link]))
            took = within("every object arrives", lambda: synced(target), 120)
            figures.record(f"S3 ({kind}): apply to {OBJECTS} objects mirrored and Ready", took, "s", "< 120")
            seen = verified(target, "one")
            assert seen["consistent"] is True and seen["checked"] == OBJECTS, seen
            for worker in processes.with_program("twinspan-s3-worker"):
                os.kill(worker, signal.SIGKILL)
            seen = verified(target, "after-the-kill")
            assert seen["consistent"] is True and seen["checked"] == OBJECTS, seen
            until("Ready again", lambda: synced(target), 60)
            target.kubectl("delete", "-n", "backups", "replicationlink", "backups-sgp-nyc", "--timeout=60s", seconds=70)
            left = target.kubectl("get", "-n", "backups", "statefulsets,pods,leases,pdb,roles", "-l", "twinspan.dev/link=backups-sgp-nyc",
                                  "-o", "name").stdout.split()
            assert not [one for one in left if not one.startswith("pod/")], left
        finally:
            target.kubectl("delete", "namespace", "backups", "--wait=false", check=False)
