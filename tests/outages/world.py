"""The worker of a link, run as its pod runs it, against the embedded API server."""
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import threading
import time
import urllib.parse

from servers import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("OUTAGES_BIN", "build/release/bin")
NS = "outages"
LINKS = f"/apis/twinspan.dev/v1alpha1/namespaces/{NS}/replicationlinks"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NS}/leases"


def until(what, look, seconds=60, every=0.1):
    """Waits until `look()` gives something true that is no text; a text says how far it is."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen and not isinstance(seen, str):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s: {seen}")
        time.sleep(every)


class Api:
    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.kubeconfig = folder / "kubeconfig"
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen([BIN / "twinspan-sandbox", "--plain", "--port", "0", "--crds", ROOT / "crds",
                                              "--kubeconfig-out", self.kubeconfig], stdout=log, stderr=log)
        until("the sandbox starts", self.kubeconfig.exists, 20)
        self.url = urllib.parse.urlsplit(json.loads(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
        self.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})

    def call(self, method, path, body=None, kind="application/json", expect=(200, 201)):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status not in expect:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def stop(self):
        self._process.terminate()
        self._process.wait(20)


class Link:
    """One link and its worker. `source` and `target`: (endpoint URL, bucket)."""

    def __init__(self, api, authority, folder, name, source, target, credentials, settings=None, environment=None):
        self.api, self.name, self.folder = api, name, pathlib.Path(folder)
        self.environment = environment or {}
        self.process, self.lives = None, 0
        authority.issue(self.folder / "tls", "worker")
        authority.issue(self.folder / "operator", "twinspan-operator")
        self._context = ssl.create_default_context(cafile=authority.ca)
        self._context.check_hostname = False
        self._context.load_cert_chain(self.folder / "operator/tls.crt", self.folder / "operator/tls.key")
        ends, shared = {}, source[0] == target[0]  # one server and one Secret: it may copy by itself
        for end, (endpoint, bucket) in (("source", source), ("target", target)):
            ends[end] = {"name": end, "s3": {"endpoint": endpoint, "bucket": bucket, "credentialsSecretRef": {"name": "both" if shared else end},
                                             **({"caSecretRef": {"name": "ca"}} if endpoint.startswith("https") else {})}}
            (self.folder / "s3" / end / "ca").mkdir(parents=True)
            shutil.copy(authority.ca, self.folder / "s3" / end / "ca/ca.crt")
            self.credentials(end, *credentials)
        spec = {"engine": "S3", "source": ends["source"], "targets": [ends["target"]],
                "s3": {"listingIntervalSeconds": 1, "retries": {"backoffBaseSeconds": 1}, **(settings or {})}}
        api.call("POST", LINKS, {"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
                                 "metadata": {"name": name, "namespace": NS}, "spec": spec})
        api.call("POST", LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"leaseDurationSeconds": 1},  # as the operator makes that of a link which never ran
                                  "metadata": {"name": f"{name}-s3-0", "namespace": NS, "labels": {"twinspan.dev/link": name}}})

    def credentials(self, end, access_key, secret_key):
        """As the kubelet does it: the files change together."""
        folder = self.folder / "s3" / end / "credentials"
        fresh = folder.with_name(f"..{time.monotonic_ns()}")
        fresh.mkdir(parents=True)
        (fresh / "accessKeyId").write_text(access_key)
        (fresh / "secretAccessKey").write_text(secret_key)
        link = folder.with_name("new")
        link.symlink_to(fresh.name)
        os.replace(link, folder)

    def start(self):
        self.lives += 1
        self.port, self.health_port = free_port(), free_port()
        environment = {"PATH": "/usr/bin:/bin", "KUBECONFIG": str(self.api.kubeconfig), "HOME": str(self.folder), **self.environment}
        with open(self.folder / "worker.log", "ab") as log:
            self.process = subprocess.Popen(
                [BIN / "twinspan-s3-worker", "--namespace", NS, "--link", self.name, "--pod-name", f"{self.name}-s3-0", "--pod-uid", "uid",
                 "--address", "127.0.0.1", "--tls-dir", self.folder / "tls", "--s3-dir", self.folder / "s3",
                 "--status-port", str(self.port), "--health-port", str(self.health_port)],
                env=environment, stdout=log, stderr=log)
        return self

    def kill(self):
        """SIGKILL. It is proven dead when this returns, so its lease is not waited for."""
        self.process.kill()
        self.process.wait()
        self.api.call("PATCH", f"{LEASES}/{self.name}-s3-0", {"spec": {"holderIdentity": ""}}, "application/merge-patch+json")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name}: the worker did not end within 40 s of SIGTERM") from None

    def report(self):
        """What the worker tells the operator; {} while it doesn't."""
        try:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self._context)
            connection.request("GET", "/status")
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            return json.loads(text) if answer.status == 200 else {}
        except (OSError, http.client.HTTPException):
            return {}

    def details(self):
        return self.report().get("details", {})

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def endpoint(self, name):
        return next((one for one in self.details().get("endpoints", []) if one["name"] == name), {})

    def synced(self, failed=0):
        """The sync of its report once one is complete with so many objects given up."""
        def look():
            seen = self.details().get("sync", {})
            done = seen.get("completedAt") and seen.get("failed") == failed
            return seen if done else f"{self.name}: {seen} {self.endpoint('target')}"
        return look

    def verify(self, request, seconds=90):
        self.api.call("PATCH", f"{LINKS}/{self.name}", {"metadata": {"annotations": {"twinspan.dev/verify": request}}},
                      "application/merge-patch+json")

        def answered():
            seen = self.details().get("verification", {})
            return seen if seen.get("request") == request and "finishedAt" in seen else f"{self.name}: verification is {seen}"

        return until(f"verification {request}", answered, seconds)


class Parallel:
    """Threads whose errors are told."""

    def __init__(self, count):
        self.slots, self.threads, self.failed, self.took = threading.Semaphore(count), [], [], {}

    def run(self, name, action):
        def body():
            with self.slots:
                began = time.monotonic()
                try:
                    action()
                    print(f"  passed  {name} ({time.monotonic() - began:.1f} s)", flush=True)
                except BaseException as error:  # all of them are told, each with its name
                    self.failed.append((name, error))
                    print(f"  FAILED  {name} ({time.monotonic() - began:.1f} s): {type(error).__name__}: {error}", flush=True)
        thread = threading.Thread(target=body)
        thread.start()
        self.threads.append(thread)

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.failed
