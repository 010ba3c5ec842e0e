"""The operator's pods and which of them leads."""
from waiting import until
import processes


class Operators:
    def __init__(self, target):
        self._target = target

    def leader(self):
        """The pod name in the election's Lease, empty where nobody leads."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._target.operator_namespace}/leases/twinspan-operator"
        lease = self._target.api.get(path)
        holder = ((lease or {}).get("spec", {}).get("holderIdentity") or "")
        return holder.rsplit("_", 1)[0]

    def pods(self):
        selector = "labelSelector=app.kubernetes.io%2Finstance%3D" + self._target.release
        return self._target.api.items(f"/api/v1/namespaces/{self._target.operator_namespace}/pods?{selector}")

    def restarts(self):
        return sum(one["restartCount"] for pod in self.pods() for one in pod["status"].get("containerStatuses", []))

    def wait_ready(self, seconds=60):
        """Until every replica is ready and one of them leads; its pod name."""
        def ready():
            deployment = self._target.api.get(
                f"/apis/apps/v1/namespaces/{self._target.operator_namespace}/deployments/{self._target.release}")
            if not deployment:
                return "no deployment"
            wanted, status = deployment["spec"]["replicas"], deployment["status"]
            if status.get("observedGeneration") != deployment["metadata"]["generation"]:
                return "the deployment is being rolled out"
            if not status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted:
                return f"{status.get('readyReplicas', 0)} of {wanted} operators ready"
            alive = {pod["metadata"]["name"] for pod in self.pods() if "deletionTimestamp" not in pod["metadata"]}
            leader = self.leader()
            return (leader,) if leader in alive else f"leader is {leader!r}, pods are {sorted(alive)}"
        return until("operators ready, one leading", ready, seconds)[0]

    def process(self, pod_name):
        pid = processes.operator(pod_name)
        assert pid, f"no operator process of pod {pod_name} on this machine"
        return pid

    def forget(self, pod_name):
        """Removes a pod whose operator was killed, so that a fresh one comes without the kubelet's growing pauses."""
        self._target.kubectl("-n", self._target.operator_namespace, "delete", "pod", pod_name, "--grace-period=0", "--force",
                             "--ignore-not-found", check=False)
