"""A real API server, a client with kept connections, a watch, and what a process has used."""
import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """CPU seconds and memory of a process, from /proc."""

    def __init__(self, pid):
        self.pid = pid

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def _status_mib(self, field):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.M).group(1)) / 1024

    def peak_mib(self):
        return self._status_mib("VmHWM")

    def resident_mib(self):
        return self._status_mib("VmRSS")


class ApiServer:
    """etcd and kube-apiserver of e2e/apiserver in a folder of their own."""

    def __init__(self, source, port):
        self.source = source
        self.script = os.path.join(source, "e2e/apiserver")
        self.folder = tempfile.mkdtemp(prefix="ts-bench-")
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")
        self.port = port
        environment = dict(os.environ, ETCD_COMPACTION_INTERVAL="5m")  # kube-apiserver's default
        subprocess.run([self.script, "up", self.folder, str(port)], check=True, env=environment, stdout=subprocess.DEVNULL)
        self.processes = {name: Process(self._pid(name)) for name in ("kube-apiserver", "etcd")}
        pki = os.path.join(self.folder, "pki")
        self.tls = ssl.create_default_context(cafile=os.path.join(pki, "ca.crt"))
        self.tls.load_cert_chain(os.path.join(pki, "admin.crt"), os.path.join(pki, "admin.key"))

    def _pid(self, name):
        with open(os.path.join(self.folder, name + ".pid")) as file:
            return int(file.read())

    def stop(self):
        subprocess.run([self.script, "down", self.folder], check=False)

    def cpu_seconds(self):
        return {name: process.cpu_seconds() for name, process in self.processes.items()}

    def connect(self, timeout=60):
        return tls_connection("127.0.0.1", self.port, self.tls, timeout)


def tls_connection(host, port, trusted, timeout=60):
    """`trusted`: a context, or the authority's certificate as PEM."""
    if isinstance(trusted, str):
        trusted = ssl.create_default_context(cadata=trusted)
    connection = http.client.HTTPSConnection(host, port, context=trusted, timeout=timeout)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def call(connection, method, path, body=None, content_type="application/json", headers=None):
    """The answer as JSON; raises RuntimeError with the server's own words."""
    data = None if body is None else json.dumps(body).encode()
    connection.request(method, path, data, {"Content-Type": content_type, "Accept": "application/json", **(headers or {})})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:500].decode(errors='replace')}")
    return json.loads(text)


class StatusWatch:
    """Notes when each link's status was first seen to speak of a generation, by the clock of time.monotonic().

    Events are searched as text, not parsed: watching 10,000 of them must cost the machine as little as possible.
    """

    NAME = re.compile(rb'"name":"(link-\d+)"')
    OBSERVED = re.compile(rb'"observedGeneration":(\d+)')  # the status' own, and each condition's

    def __init__(self, server, path, version):
        self.seen = {}  # name -> (observed generation, when)
        self.last = 0.0  # when the newest was seen
        self.changed = threading.Condition()
        self.wanted = None
        self.connection = server.connect(timeout=None)
        self.socket = self.connection.sock
        self.connection.request("GET", f"{path}?watch=true&resourceVersion={version}")
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            raise RuntimeError(f"watch: {self.answer.status}")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while line := self.answer.readline():
                self._take(line, time.monotonic())
        except (OSError, ValueError, http.client.HTTPException):
            pass  # closed

    def _take(self, line, now):
        generations = [int(one) for one in self.OBSERVED.findall(line)]
        name = self.NAME.search(line)
        if not name or not generations or b'"conditions":[{' not in line:
            return
        # The oldest counts: a status whose parts speak of different generations is not right yet.
        name, generation = name.group(1).decode(), min(generations)
        with self.changed:
            if self.seen.get(name, (0, 0))[0] < generation:
                self.seen[name] = (generation, now)
                self.last = now
                if self.wanted and self.wanted(self.seen):
                    self.changed.notify_all()

    def wait(self, enough, timeout):
        with self.changed:
            self.wanted = enough
            return self.changed.wait_for(lambda: enough(self.seen), timeout)

    def stop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Operator:
    """twinspan-operator with pretended workers, and what it says of itself."""

    def __init__(self, program, server, arguments):
        self.health_port, self.metrics_port = free_port(), free_port()
        self.log = open(os.path.join(server.folder, "operator.log"), "ab")
        command = [program, "--pretend-workers", "--kubeconfig", server.kubeconfig,
                   "--health-address", f"127.0.0.1:{self.health_port}",
                   "--metrics-address", f"127.0.0.1:{self.metrics_port}", *arguments]
        self.started = time.monotonic()
        environment = dict(os.environ, GLIBC_TUNABLES="glibc.malloc.tcache_count=2000")  # as the image has it
        self.child = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, env=environment)
        self.process = Process(self.child.pid)

    def _get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ready(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"the operator ended with {self.child.returncode}, its log is in {self.log.name}")
        try:
            return self._get(self.health_port, "/readyz")[0] == 200
        except OSError:
            return False

    def metrics(self, links=False):
        """Name with labels -> value. Without the links' own metrics, so that asking costs nothing."""
        text = self._get(self.metrics_port, "/metrics" if links else "/metrics?links=none")[1]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in text.splitlines() if line and line[0] != "#"}

    def scrape_bytes(self):
        return len(self._get(self.metrics_port, "/metrics")[1])

    def wait(self, condition, timeout, every):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if condition():
                return time.monotonic() - self.started
            time.sleep(every)
        raise RuntimeError(f"not within {timeout} s; the operator's log is in {self.log.name}")

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


def writes(metrics):
    """Requests other than reads that the operator has sent."""
    return int(sum(value for name, value in metrics.items()
                   if name.startswith("rest_client_requests_total{") and 'method="GET"' not in name))


def reconciles(metrics, controller="replicationlink"):
    return int(sum(value for name, value in metrics.items()
                   if name.startswith("controller_runtime_reconcile_total{") and f'controller="{controller}"' in name))


def reconcile_errors(metrics):
    return int(sum(value for name, value in metrics.items()
                   if name.startswith("controller_runtime_reconcile_errors_total{")))
