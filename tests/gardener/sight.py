"""What the eyes saw: which servers there are, and who accepted writes when."""
import itertools
import json
import os
import pathlib
import pwd
import subprocess
import sys
import threading

EYES = pathlib.Path(__file__).with_name("eyes.py")


class Sight:
    """Any thread."""

    def __init__(self, folder, log):
        as_who = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            as_who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._lock = threading.Condition()
        self._servers, self._tenures, self._answers = {}, {}, {}
        self._ids = itertools.count()
        self._process = subprocess.Popen([sys.executable, "-B", EYES, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                         cwd="/", **as_who)
        threading.Thread(target=self._read, daemon=True).start()

    def stop(self):
        self._process.stdin.close()
        self._process.wait(10)

    def _read(self):
        for line in self._process.stdout:
            said = json.loads(line)
            with self._lock:
                if "accepted" in said:
                    self._accepted(said)
                elif "seen" in said:
                    self._servers[said["seen"]] = said
                elif "gone" in said:
                    self._servers.pop(said["gone"], None)
                else:
                    self._answers[said["answer"]] = said
                    self._lock.notify_all()

    def _accepted(self, said):
        key = (said["timeline"], f"{said['endpoint']} in {said['data']}")
        first, last = self._tenures.setdefault(key, [said["ended"], said["began"]])
        self._tenures[key] = [min(first, said["ended"]), max(last, said["began"])]

    def servers(self):
        """pid → {endpoint, data} of those that answered once and still run."""
        with self._lock:
            return dict(self._servers)

    def alive(self):
        return self._process.poll() is None

    def ask(self, pid, statement, database="postgres", seconds=5.0):
        """Rows of text, as the superuser of that server; commits wait for nobody. An error as RuntimeError."""
        request = {"id": next(self._ids), "data": self.servers()[pid]["data"], "database": database, "sql": statement, "seconds": seconds}
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            if not self._lock.wait_for(lambda: request["id"] in self._answers, seconds + 5):
                raise RuntimeError(f"no answer to {statement!r}")
            said = self._answers.pop(request["id"])
        if "error" in said:
            raise RuntimeError(said["error"])
        return said["rows"]

    def writable(self, since):
        """Who accepted a write that began after `since`."""
        with self._lock:
            return sorted({name for (_, name), (_, last) in self._tenures.items() if last > since})

    def forget(self, endpoint=""):
        """What was accepted there, or anywhere: for mistakes made on purpose."""
        with self._lock:
            self._tenures = {key: tenure for key, tenure in self._tenures.items() if endpoint and not key[1].startswith(endpoint + " ")}

    def tenures(self):
        with self._lock:
            return sorted((timeline, name, first, last) for (timeline, name), (first, last) in self._tenures.items())


def two_primaries(tenures):
    """Proof that two servers accepted writes at once, or that a line of history was written by two; None.

    A tenure is what one data directory accepted on one timeline, from the end of its first write to the beginning of its last.
    """
    for (timeline, name, _, last), (later, other, first, _) in itertools.combinations(sorted(tenures), 2):
        if name == other:
            continue
        if later == timeline:
            return f"{name} and {other} both wrote on timeline {timeline}"
        if last > first:
            return f"{name} (timeline {timeline}) accepted a write {1000 * (last - first):.0f} ms after {other} (timeline {later}) had accepted one"
    return None
