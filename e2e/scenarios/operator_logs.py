"""The log of every operator that ran, from its first line on, also of those that were killed or replaced; and what they complained of."""
import collections
import contextlib
import datetime
import json
import subprocess

import figures
from api import Watch

# What the scenarios do to operators on purpose, or what Kubernetes lets happen to anybody who writes beside others.
EXPECTED_ERRORS = {
    "lease lost",  # an operator that was frozen wakes up
    "lease lost: not renewed in time",
    "leadership lost, leaving",
}


class OperatorLogs:
    def __init__(self, target):
        self._target = target
        self._followed = {}  # (pod, restarts): a running `kubectl logs -f`
        self._denied = []  # (from, to), as the logs tell the time
        self._folder = figures.ARTIFACTS / "operators"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._watch = Watch(target.api, f"/api/v1/namespaces/{target.operator_namespace}/pods",
                            f"labelSelector=app.kubernetes.io%2Finstance%3D{target.release}", self._changed)

    def _changed(self, _arrived, _kind, pod):
        for status in pod["status"].get("containerStatuses", []):
            key = (pod["metadata"]["name"], status["restartCount"])
            if "running" in status["state"] and key not in self._followed:
                with open(self._folder / f"{key[0]}.{key[1]}.log", "w") as file:
                    self._followed[key] = subprocess.Popen(
                        self._target.kubectl_command("-n", self._target.operator_namespace, "logs", "-f", key[0], "-c", status["name"]),
                        stdout=file, stderr=subprocess.STDOUT)

    @contextlib.contextmanager
    def denied(self):
        """What an operator is denied meanwhile is no fault: Helm deletes its rights before it has ended, a cluster refuses a pod that a scenario asks for."""
        now = lambda: datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        began = now()
        try:
            yield
        finally:
            self._denied.append((began, now()))

    def _was_expected(self, said):
        return said.get("reason") == "Denied" and any(begin <= said["time"] <= end for begin, end in self._denied)

    def complaints(self):
        """How often each (level, message) of warnings and errors was logged, and one line of each."""
        counted, example = collections.Counter(), {}
        for path in sorted(self._folder.glob("*.log")):
            for line in path.read_text(errors="replace").splitlines():
                try:
                    said = json.loads(line)
                except ValueError:
                    continue  # kubectl's own words, when a pod is gone
                if said.get("level") in ("warn", "error") and not self._was_expected(said):
                    key = (said["level"], said.get("msg"))
                    counted[key] += 1
                    example.setdefault(key, line)
        return [(level, message, count, example[level, message]) for (level, message), count in counted.most_common()]

    def unexpected_errors(self):
        return [f"{count} × {line}" for level, message, count, line in self.complaints() if level == "error" and message not in EXPECTED_ERRORS]

    def close(self):
        self._watch.stop()
        for process in self._followed.values():
            process.terminate()
            process.wait()
