"""The cluster under test: how it is reached, and what can be done to it."""
import os
import pathlib
import shutil
import subprocess
import time

import figures
from api import Api

ROOT = pathlib.Path(__file__).resolve().parents[2]


class CommandFailed(AssertionError):
    pass


def run(command, seconds=60, feed=None, check=True):
    done = subprocess.run(command, input=feed, capture_output=True, text=True, timeout=seconds)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Target:
    """A real cluster or the sandbox; scenarios ask what it `has` and are skipped, loudly, where that is missing.

    has "node": pods are processes of this machine, so that they can be killed by pid.
        "network": each pod has a network namespace of its own that can be cut.
        "helm": the operator was installed by Helm in `operator_namespace`.
        "operators": there are several operator pods with an election.
    """

    def __init__(self):
        self.kubeconfig = os.environ["KUBECONFIG"]
        self.kind = os.environ.get("E2E_TARGET", "cluster")
        self.operator_namespace = os.environ.get("E2E_OPERATOR_NAMESPACE", "twinspan-system")
        self.release = os.environ.get("E2E_RELEASE", "twinspan")
        self.has = set(os.environ.get("E2E_HAS", "node network helm operators volumes").split())
        self.api = Api([self._program("kubectl"), f"--kubeconfig={self.kubeconfig}"])

    def close(self):
        self.api.close()

    @staticmethod
    def _program(name):
        built = pathlib.Path(os.environ.get("CLUSTER_HOME", pathlib.Path.home() / ".cache/clusters")) / "bin" / name
        return str(built) if built.exists() else shutil.which(name) or name

    def kubectl_command(self, *arguments):
        return [self._program("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]

    def kubectl(self, *arguments, feed=None, seconds=60, check=True):
        return run(self.kubectl_command(*arguments), seconds, feed, check)

    def helm(self, *arguments, seconds=180, check=True):
        return run([self._program("helm"), f"--kubeconfig={self.kubeconfig}", *arguments], seconds, check=check)

    def collect(self, name):
        """Everything that helps to understand a failure, into one folder of the artifacts."""
        folder = figures.ARTIFACTS / name
        folder.mkdir(parents=True, exist_ok=True)
        objects = "replicationlinks,failoverpolicies,backupschedules,backups,restores,pods,services,endpointslices,leases,persistentvolumeclaims,poddisruptionbudgets"

        def keep(file, *arguments):
            done = self.kubectl(*arguments, check=False)
            (folder / file).write_text(done.stdout + done.stderr)

        keep("objects.txt", "get", objects, "-A", "-o", "wide")
        keep("objects.yaml", "get", objects, "-A", "-o", "yaml", "--show-managed-fields=false")
        keep("describe.txt", "describe", "replicationlinks,failoverpolicies,backupschedules,backups,restores,pods", "-A")
        keep("events.txt", "get", "events", "-A", "--sort-by=.lastTimestamp")
        for pod in self.api.items("/api/v1/pods"):
            meta = pod["metadata"]
            if meta["namespace"] == "kube-system":
                continue
            for status in pod["status"].get("containerStatuses", []):
                log = f"{meta['namespace']}-{meta['name']}-{status['name']}"
                keep(f"{log}.log", "logs", "-n", meta["namespace"], meta["name"], "-c", status["name"])
                if status.get("restartCount"):
                    keep(f"{log}.previous.log", "logs", "-n", meta["namespace"], meta["name"], "-c", status["name"], "-p")
        (folder / "collected-at.txt").write_text(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))
        return folder
