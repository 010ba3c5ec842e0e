"""What a Service leads to, as its EndpointSlices said it at each moment."""
import threading

from api import Watch


class Routing:
    def __init__(self, api, namespace, service):
        self._lock = threading.Lock()
        self._slices = {}
        self.history = []  # (moment, sorted addresses)
        self._watch = Watch(
            api, f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            f"labelSelector=kubernetes.io%2Fservice-name%3D{service}", self._changed,
        )

    def stop(self):
        self._watch.stop()

    def _changed(self, arrived, kind, item):
        with self._lock:
            name = item["metadata"]["name"]
            if kind == "DELETED":
                self._slices.pop(name, None)
            else:
                self._slices[name] = {
                    address
                    for endpoint in item.get("endpoints") or []
                    if endpoint.get("conditions", {}).get("ready") is not False
                    for address in endpoint["addresses"]
                }
            self.history.append((arrived, sorted(set().union(*self._slices.values()))))

    def addresses(self):
        with self._lock:
            return self.history[-1][1] if self.history else []

    def several(self):
        """The moments at which more than one address was behind the Service."""
        with self._lock:
            return [(moment, addresses) for moment, addresses in self.history if len(addresses) > 1]
