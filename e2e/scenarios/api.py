"""The Kubernetes API as JSON, through `kubectl proxy`: whatever a kubeconfig authenticates with, works here too."""
import http.client
import json
import re
import subprocess
import threading
import time


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    def __init__(self, kubectl_command):
        self._proxy = subprocess.Popen(
            [*kubectl_command, "proxy", "--port=0", "--keepalive=30s"], stdout=subprocess.PIPE, text=True
        )
        line = self._proxy.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"kubectl proxy did not start: {line!r}")
        self._port = int(found.group(1))

    def close(self):
        self._proxy.terminate()
        self._proxy.wait()

    def connection(self, timeout):
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)

    def get(self, path):
        """The object or list at `path`; None where there is none."""
        connection = self.connection(10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise ApiError(answer.status, body.decode(errors="replace")[:400])
        return json.loads(body)

    def apply(self, path, document, query=""):
        """What `kubectl apply --server-side --force-conflicts` asks for, without a program for each: the error's message, empty where it was
        taken, and the warnings."""
        connection = self.connection(30)
        try:
            connection.request("PATCH", f"{path}/{document['metadata']['name']}?fieldManager=kubectl&force=true&fieldValidation=Strict{query}",
                               json.dumps(document), {"Content-Type": "application/apply-patch+yaml"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        warnings = re.findall(r'299 \S+ "((?:[^"\\]|\\.)*)"', ", ".join(answer.headers.get_all("Warning", [])))
        if answer.status < 300:
            return "", warnings
        return f"{answer.status}: {body.decode(errors='replace')}", warnings

    def delete(self, path):
        """The object or all of the list at `path`; the answer's status."""
        connection = self.connection(10)
        try:
            connection.request("DELETE", path)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return answer.status

    def items(self, path):
        found = self.get(path)
        return found["items"] if found else []


class Watch(threading.Thread):
    """Calls `on_change(arrived, type, object)` for everything that is there and every change, in a thread of its own.

    `arrived` is time.monotonic(). Lists again where a watch ends; deletions in between are told as DELETED.
    """

    def __init__(self, api, path, query, on_change):
        super().__init__(daemon=True)
        self._api, self._path, self._query, self._on_change = api, path, query, on_change
        self._known = {}
        self._socket = None
        self._stopped = False
        self._listed = threading.Event()
        self.start()
        if not self._listed.wait(15):
            raise RuntimeError(f"no list of {path} within 15 s")

    def stop(self):
        self._stopped = True
        if self._socket:
            try:
                self._socket.shutdown(2)
            except OSError:
                pass
        self.join(5)

    def run(self):
        while not self._stopped:
            try:
                version = self._list()
                self._listed.set()
                self._follow(version)
            except (OSError, ApiError, ValueError, http.client.HTTPException):
                time.sleep(0.1)

    def _list(self):
        found = self._api.get(f"{self._path}?{self._query}") or {"metadata": {"resourceVersion": "0"}, "items": []}
        now, seen = time.monotonic(), {}
        for item in found["items"]:
            seen[item["metadata"]["uid"]] = item
            known = self._known.get(item["metadata"]["uid"])
            if not known or known["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self._on_change(now, "MODIFIED" if known else "ADDED", item)
        for uid, item in self._known.items():
            if uid not in seen:
                self._on_change(now, "DELETED", item)
        self._known = seen
        return found["metadata"]["resourceVersion"]

    def _follow(self, version):
        connection = self._api.connection(timeout=400)
        try:
            connection.request(
                "GET", f"{self._path}?{self._query}&watch=1&timeoutSeconds=300&resourceVersion={version}"
            )
            self._socket = connection.sock
            answer = connection.getresponse()
            if answer.status != 200:
                raise ApiError(answer.status, answer.read().decode(errors="replace")[:400])
            while not self._stopped:
                line = answer.readline()
                if not line:
                    return
                arrived, event = time.monotonic(), json.loads(line)
                if event["type"] == "ERROR":
                    return
                item = event["object"]
                if event["type"] == "DELETED":
                    self._known.pop(item["metadata"]["uid"], None)
                else:
                    self._known[item["metadata"]["uid"]] = item
                self._on_change(arrived, event["type"], item)
        finally:
            connection.close()
