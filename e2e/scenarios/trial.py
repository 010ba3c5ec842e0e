"""A fault or a change under load, and the judgement that holds for each of them.

Within a `with Trial(link)`, one client writes through the Service without pause, every instance is asked every 20 ms whether it
accepts writes, and the Service's endpoints are watched. Leaving it in peace judges: nothing acknowledged is lost, never two
instances accepted writes, never two addresses were behind the Service.
"""
import threading
import time

import processes
import prober
from api import Watch
from prober import Prober
from routing import Routing
from waiting import until
from writer import Writer


class Trial:
    def __init__(self, link, name):
        self.link, self.name = link, name
        self.accepted_elsewhere = []  # writes that somebody else saw accepted: judged with the probers'
        self._lock = threading.Lock()
        self._probers, self._past = {}, []

    def __enter__(self):
        self.dsn = self.link.service_dsn()
        prober.prepare(self.dsn, self.link.endpoint_names())
        self.writer = Writer(self.dsn, f"{self.name}-{time.time_ns()}")
        self.writer.prepare()
        self.routing = Routing(self.link.target.api, self.link.namespace, self.link.writes)
        self.reading = Routing(self.link.target.api, self.link.namespace, self.link.reads)
        self._pods = Watch(
            self.link.target.api, f"/api/v1/namespaces/{self.link.namespace}/pods",
            f"labelSelector=twinspan.dev%2Flink%3D{self.link.name}", self._pod_changed,
        )
        self.writer.start()
        try:
            self.writer.wait_for(50)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._stop()
        if kind is None:
            self.judge()

    def wait_quiet(self, seconds=1.5):
        """Until no Service changed for so long: kube-proxy puts off a change that follows another within a second."""
        began = time.monotonic()

        def quiet():
            last = max([began, *(at for routing in (self.routing, self.reading) for at, _ in routing.history)])
            return time.monotonic() - last > seconds or f"a Service changed {time.monotonic() - last:.1f} s ago"

        until("Services that stay as they are", quiet, 90)

    def _pod_changed(self, _arrived, kind, pod):
        uid, address = pod["metadata"]["uid"], pod["status"].get("podIP")
        with self._lock:
            if kind == "DELETED":
                gone = self._probers.pop(uid, None)
                if gone:
                    self._past.append(gone)
                    gone.stop()
            elif address and uid not in self._probers:
                endpoint = pod["metadata"]["labels"]["twinspan.dev/endpoint"]
                dsn = self.link.dsn(address, options="-c synchronous_commit=local")
                self._probers[uid] = Prober(endpoint, dsn)
                self._probers[uid].start()

    def _stop(self):
        self.writer.stop()
        self._pods.stop()
        self.routing.stop()
        self.reading.stop()
        with self._lock:
            for one in self._probers.values():
                one.stop()

    def accepted(self):
        with self._lock:
            everybody = [*self._past, *self._probers.values()]
        return [write for one in everybody for write in one.accepted] + self.accepted_elsewhere

    def judge(self):
        silent = [one.instance for one in self._probers.values() if one.answers == 0]
        assert not silent, f"{self.name}: never got an answer from {silent}, so nothing is proven"
        both = prober.two_primaries(self.accepted())
        assert not both, f"{self.name}: two instances accepted writes: {both}"
        several = self.routing.several()
        assert not several, f"{self.name}: more than one address behind {self.link.writes}: {several[:3]}"
        missing = self.writer.missing(self.dsn)
        assert not missing, (f"{self.name}: {len(missing)} of {len(self.writer.acknowledged)} acknowledged writes are missing, "
                             f"the first {missing[:5]}")

    # Faults at a known moment.

    def kill_postmaster(self):
        """Kills the primary's server with signal 9; the endpoint and the moment."""
        endpoint = self.link.primary()
        pid = self.link.postmaster(endpoint)
        moment = time.monotonic()
        processes.kill(pid)
        return endpoint, moment

    def first_write_accepted(self, endpoint, after):
        moments = [write.ended for write in self.accepted() if write.instance == endpoint and write.began > after]
        return min(moments, default=None)

    def wait_accepted(self, endpoint, after):
        """Until its prober, who may come late, has seen such a write; when that ended."""
        return until(f"a write that {endpoint} accepts", lambda: self.first_write_accepted(endpoint, after), 30)

    def timeline(self, moment, new_primary):
        """Where the time since `moment` went, in milliseconds: the new primary writes, the Service leads to it, the client writes."""
        address = self.link.pod(new_primary)["status"]["podIP"]
        since = lambda at: round(1000 * (at - moment)) if at else None
        routed = [at for at, addresses in self.routing.history if at > moment and addresses == [address]]
        acknowledged = [at for _, at in self.writer.acknowledged if at > moment]
        failed = [at for at, _ in self.writer.failures if at > moment]
        return {
            "new_primary_writes": since(self.first_write_accepted(new_primary, moment)),
            "service_leads_there": since(min(routed, default=None)),
            "client_connected": since(min((at for at in self.writer.connections if failed and at > failed[0]), default=None)),
            "client_writes": since(min((at for at in acknowledged if failed and at > failed[0]), default=None)),
            "slices_of_writes": [since(at) for at, _ in self.routing.history if at > moment],
            "slices_of_reads": [since(at) for at, _ in self.reading.history if at > moment],
        }
