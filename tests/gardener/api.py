"""The Kubernetes API as a person or GitOps uses it: JSON over TLS, by the kubeconfig that the sandbox wrote."""
import base64
import http.client
import json
import ssl
import tempfile
import urllib.parse

import yaml

CORE = "/api/v1/namespaces/{ns}/"
OURS = "/apis/twinspan.dev/v1alpha1/namespaces/{ns}/"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Pod": CORE + "pods", "Service": CORE + "services", "Secret": CORE + "secrets", "ConfigMap": CORE + "configmaps",
    "PersistentVolumeClaim": CORE + "persistentvolumeclaims", "ServiceAccount": CORE + "serviceaccounts", "Event": CORE + "events",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "ReplicationLink": OURS + "replicationlinks", "FailoverPolicy": OURS + "failoverpolicies",
}


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Api:
    """Any thread; a connection for every call. Each call is of `namespace` unless its path says otherwise."""

    def __init__(self, kubeconfig, namespace):
        config = yaml.safe_load(open(kubeconfig, encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        url = urllib.parse.urlsplit(cluster["server"])
        self.namespace, self._host, self._port = namespace, url.hostname, url.port
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile() as pem:
                pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
                pem.flush()
                self._tls.load_cert_chain(pem.name)

    def call(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=15, context=self._tls)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {**self._headers, "Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        told = json.loads(content) if content[:1] in (b"{", b"[") else {}
        if answer.status >= 300:
            raise ApiError(answer.status, told.get("message", content[:300]))
        return told

    def path(self, kind, name="", sub=""):
        return PATHS[kind].format(ns=self.namespace) + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")

    def get(self, kind, name):
        """The object; None where there is none."""
        try:
            return self.call("GET", self.path(kind, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind, labels=""):
        return self.call("GET", self.path(kind) + (f"?labelSelector={urllib.parse.quote(labels)}" if labels else ""))["items"]

    def create(self, document):
        return self.call("POST", self.path(document["kind"]), document)

    def apply(self, document):
        """As GitOps does: server-side, and its word stands."""
        path = self.path(document["kind"], document["metadata"]["name"])
        return self.call("PATCH", path + "?fieldManager=gitops&force=true", document, "application/apply-patch+yaml")

    def patch(self, kind, name, change, sub=""):
        return self.call("PATCH", self.path(kind, name, sub), change, "application/merge-patch+json")

    def delete(self, kind, name, grace=None):
        """Whether there was one."""
        try:
            self.call("DELETE", self.path(kind, name) + ("" if grace is None else f"?gracePeriodSeconds={grace}"))
            return True
        except ApiError as error:
            if error.status == 404:
                return False
            raise

    # Faults of the sandbox itself.

    def fault(self, match, action):
        self.call("POST", "/sandbox/faults", {"match": match, "do": action})

    def no_faults(self):
        self.call("DELETE", "/sandbox/faults")


def condition(item, kind):
    for one in (item or {}).get("status", {}).get("conditions", []):
        if one["type"] == kind:
            return one
    return {}
