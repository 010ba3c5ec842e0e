"""Objects of other people beside the link, under names that Twinspan might want: nobody may touch them."""
import json

LABELS = {"app": "legacy", "app.kubernetes.io/managed-by": "Helm"}


def _of(kind, api_version, name, **rest):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": dict(LABELS)}, **rest}


POSTGRES = [
    _of("Service", "v1", "orders-legacy", spec={"selector": {"app": "legacy"}, "ports": [{"name": "postgres", "port": 5432}]}),
    _of("ConfigMap", "v1", "orders", data={"primary": "theirs"}),
    _of("Secret", "v1", "orders-east-2-tls", stringData={"tls.crt": "theirs"}),
    _of("PersistentVolumeClaim", "v1", "orders-east-2-data",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}),
    _of("Lease", "coordination.k8s.io/v1", "orders-s3-0", spec={"holderIdentity": "theirs"}),
]

S3 = [
    _of("ConfigMap", "v1", "b", data={"primary": "theirs"}),
    _of("Secret", "v1", "b-s3-credentials", stringData={"accessKeyId": "theirs"}),
    _of("Service", "v1", "b-s3", spec={"selector": {"app": "legacy"}, "ports": [{"name": "http", "port": 80}]}),
    _of("Lease", "coordination.k8s.io/v1", "b-primary", spec={"holderIdentity": "theirs"}),
]


class Beside:
    def __init__(self, api, documents):
        self._api, self._documents = api, documents
        for document in documents:
            api.create(document)
        self._before = None

    def remember(self):
        """As they are, once the cluster has done its part (a claim is bound)."""
        self._before = self._now()

    def _now(self):
        found = {}
        for document in self._documents:
            item = self._api.get(document["kind"], document["metadata"]["name"])
            if item:
                item["metadata"].pop("resourceVersion", None)
                item["metadata"].pop("managedFields", None)
            found[f"{document['kind']} {document['metadata']['name']}"] = json.dumps(item, sort_keys=True)
        return found

    def touched(self):
        """What is not as it was, as text; empty."""
        now = self._now()
        return "; ".join(f"{name} was {before}, is {now[name]}" for name, before in self._before.items() if now[name] != before)
