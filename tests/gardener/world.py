"""One sandbox, its operators and what they wrote."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("GARDENER_BIN", ROOT / "build/release/bin"))
sys.path.append(str(ROOT / "e2e/scenarios"))

from api import Api, ApiError  # noqa: E402
from waiting import until  # noqa: E402

OPERATORS = "twinspan-system"
ELECTION_SECONDS = 3


class Operator:
    """One process; several of them elect one that acts."""

    def __init__(self, world, number):
        self.number, self.old = number, False  # old: stood still while another led
        self._path = world.folder / f"operator-{number}.log"
        self.log = open(self._path, "ab")
        self.process = subprocess.Popen(
            [BIN / "twinspan-operator", "--kubeconfig", world.kubeconfig, "--worker-image", "twinspan-worker:dev", "--s3-worker-image", "twinspan-operator:dev",
             "--health-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--leader-elect", "--leader-election-namespace", OPERATORS,
             "--leader-election-lease-seconds", str(ELECTION_SECONDS)],
            stdout=self.log, stderr=self.log)

    def identity(self):
        """As it is called in the election; empty before it stood in one."""
        found = re.search(r'"identity":"([^"]+)"', self._path.read_text(errors="replace"))
        return found.group(1) if found else ""

    def alive(self):
        return self.process.poll() is None

    def tell(self, number):
        if self.alive():
            self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        self.tell(signal.SIGCONT)
        self.tell(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.log.close()


class World:
    """`folder` keeps the logs; data lie below a short folder of their own, for a socket's path is short."""

    def __init__(self, folder, namespace):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="/tmp/tg."))
        self.data.chmod(0o755)
        self.state, self.kept = self.data / "s", self.data / "kept"
        self.kept.mkdir()
        self.kubeconfig = folder / "kubeconfig"
        self.operators, self._numbers, self._others = [], 0, []
        self._lock, self._crashed, self._supervised = threading.RLock(), "", True
        self._sandbox_log = open(folder / "sandbox.log", "ab")
        self.sandbox = subprocess.Popen(
            [BIN / "twinspan-sandbox", "--runtime", "--crds", ROOT / "crds", "--kubeconfig-out", self.kubeconfig, "--state", self.state],
            stdout=self._sandbox_log, stderr=self._sandbox_log)
        until("the sandbox starts", lambda: self.kubeconfig.exists() or "no kubeconfig", 30)
        self.api = Api(self.kubeconfig, namespace)
        for name in (OPERATORS, namespace):
            self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.start_operator()
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def start_operator(self):
        with self._lock:
            self._numbers += 1
            self.operators.append(Operator(self, self._numbers))

    def leader(self):
        """The operator that leads, by the election's Lease; None where nobody does."""
        lease = self.api.call("GET", f"/apis/coordination.k8s.io/v1/namespaces/{OPERATORS}/leases/twinspan-operator")
        holder = lease["spec"].get("holderIdentity")
        return next((one for one in self.operators if holder and one.identity() == holder and one.alive()), None)

    def one_operator(self):
        """Ends all but one that is no old one, and starts one where none is left."""
        with self._lock:
            staying = [one for one in self.operators if one.alive() and not one.old][-1:]
            for one in self.operators:
                if one not in staying:
                    one.end()
            self.operators, self._supervised = staying, True
            if not staying:
                self.start_operator()

    def no_operator(self, number):
        """Ends all of them; nobody starts one before one_operator()."""
        with self._lock:
            self._supervised = False
            for one in self.operators:
                one.end(number)
            self.operators = []

    def start(self, name, command, environment=None):
        """Another server of the walk."""
        log = open(self.folder / f"{name}.log", "ab")
        self._others.append(subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}))
        return self._others[-1]

    def crashed(self):
        """A program that ended though nobody asked it to, as text; empty."""
        if self.sandbox.poll() is not None:
            return f"the sandbox ended with {self.sandbox.returncode}"
        return self._crashed

    def _supervise(self):
        """As a Deployment does: who leaves is started again, who lost its leadership and left in good order (1) as well."""
        with self._lock:
            for one in [one for one in self.operators if not one.alive()]:
                if one.process.returncode not in (0, 1):
                    self._crashed = f"operator {one.number} ended with {one.process.returncode}"
                self.operators.remove(one)
            if self._supervised and not self.operators and not self._ended.is_set():
                self.start_operator()

    def _keep(self):
        """A pod's logs go with it; a second link to each of them stays."""
        while not self._ended.wait(0.3):
            self._supervise()
            for file in self.state.glob("p/*/log/*.log"):
                kept = self.kept / f"{file.parts[-3]}-{file.name}"
                try:
                    if not kept.exists():
                        os.link(file, kept)
                except OSError:
                    pass  # gone in between

    def stop(self):
        """Ends everything, and leaves what was written below `folder`."""
        self.no_operator(signal.SIGTERM)
        self.sandbox.terminate()
        try:
            self.sandbox.wait(60)
        except subprocess.TimeoutExpired:
            self.sandbox.kill()
            self.sandbox.wait(10)
        for one in self._others:
            one.kill()
            one.wait(10)
        self._ended.set()
        self._keeper.join(5)
        shutil.copytree(self.kept, self.folder / "pods", dirs_exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)


__all__ = ["World", "Operator", "ApiError", "ROOT", "BIN", "ELECTION_SECONDS", "until"]
