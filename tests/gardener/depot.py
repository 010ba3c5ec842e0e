"""An S3 link and its policy as Git has them, two buckets in memory, and a client that writes where it is sent."""
import copy
import random
import re
import signal
import sys
import threading
import time

from api import ApiError, condition
from world import BIN, ROOT, until

sys.path.append(str(ROOT / "tests/outages"))
import s3api  # noqa: E402

NS, NAME, WHERE, KEYS = "backups", "b", "where", 40
SIDES = {"sgp": "src", "nyc": "dst"}
BOTH_WAYS_SECONDS = 20  # longer than a client's place is old (StaleMove); nothing is deleted meanwhile
RETURNS_SECONDS = BOTH_WAYS_SECONDS + 30  # a key that was removed soon after a move may come back from the other side
GROUP = "twinspan.dev/v1alpha1"


def endpoint(name, url):
    return {"name": name, "s3": {"endpoint": url, "bucket": SIDES[name], "credentialsSecretRef": {"name": f"spaces-{name}"}}}


def declared(urls):
    link = {"apiVersion": GROUP, "kind": "ReplicationLink", "metadata": {"name": NAME, "namespace": NS},
            "spec": {"engine": "S3", "source": endpoint("sgp", urls["sgp"]), "targets": [endpoint("nyc", urls["nyc"])],
                     "s3": {"listingIntervalSeconds": 2, "workers": 1, "deletes": {"mode": "Replicate", "maxPerSync": 1000}, "retries": {"backoffBaseSeconds": 1}}}}
    policy = {"apiVersion": GROUP, "kind": "FailoverPolicy", "metadata": {"name": NAME, "namespace": NS},
              "spec": {"linkRef": {"name": NAME}, "triggers": {"unreachableSeconds": 3, "consecutiveFailures": 3}, "configMaps": [{"name": WHERE}],
                       "promotion": {"bothWaysSeconds": BOTH_WAYS_SECONDS}}}
    return link, policy


class Sent:
    """Where clients are sent by the ConfigMap, and when that changed: told by looks, whether they are heeded or not."""

    def __init__(self, side):
        self.side, self.moves = side, []
        self._named = 0.0

    def see(self, side, now):
        """`side` empty: clients are withdrawn."""
        if side and side != self.side:
            self.moves += [self._named, now]  # between them they were withdrawn
            self.side = side
        if side:
            self._named = now


class Client(threading.Thread):
    """Writes growing numbers under few keys, and removes one at times; remembers what each bucket acknowledged last."""

    def __init__(self, depot):
        super().__init__(daemon=True, name="client")
        self._depot, self._chance, self._ended, self._going = depot, random.Random(1), threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self.told = {}  # key → [(moment, side, number)]; number None: removed
        self.stale_until = 0.0  # a mounted ConfigMap is as old as kubelet's last look
        self.sent = Sent("sgp")
        self.side, self.count, self.last_error = "sgp", 0, ""
        self._going.set()
        self.start()

    def run(self):
        number = 0
        while not self._ended.wait(0.03):
            if not self._going.is_set():
                continue
            with self._lock:  # whoever pauses it knows that nothing is under way then
                side = self._find()
                if not side:
                    continue
                number += 1
                key, removes = f"k{self._chance.randrange(KEYS)}", self._chance.random() < 0.1
                try:
                    server, bucket = self._depot.servers[side], SIDES[side]
                    server.delete(bucket, key) if removes else server.put(bucket, key, str(number).encode())
                except (OSError, s3api.Refused) as error:
                    self.last_error = str(error)
                    self.told.setdefault(key, []).append((time.monotonic(), side, "unknown"))
                    continue
                self.told.setdefault(key, []).append((time.monotonic(), side, None if removes else number))
                self.count += 1

    def _find(self):
        """Where the ConfigMap sends it; where there is none, where it was sent last. Empty: clients are withdrawn."""
        try:
            found = self._depot.api.get("ConfigMap", WHERE)
        except (ApiError, OSError):
            return self.side
        side, now = found["data"].get("primary") or "" if found else self.side, time.monotonic()
        if found:
            self.sent.see(side, now)  # also while its own look is old: what it removes where nobody is sent may come back
        if now < self.stale_until:
            return self.side
        self.side = side or self.side
        return side

    def stop(self):
        self._ended.set()
        self.join(70)

    def pause(self):
        self._going.clear()
        self._lock.acquire()
        self._lock.release()

    def go_on(self):
        self._going.set()


class Depot:
    ABSENT = "link or policy is absent"

    def __init__(self, world):
        self.world, self.api = world, world.api
        self.processes, self.servers = {}, {}
        for side, bucket in SIDES.items():
            self.processes[side] = world.start(f"stub-{side}", [BIN / "twinspan-s3-stub", "--port", "0", "--bucket", bucket], {"S3_ACCESS_KEY": "demo", "S3_SECRET_KEY": "demo"})
            log = world.folder / f"stub-{side}.log"
            url = until(f"the server of {side}", lambda log=log: (re.search(r"http://[\d.:]+", log.read_text()) or "no address yet"), 20).group(0)
            self.servers[side] = s3api.S3(url, "demo", "demo")
            self.api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"spaces-{side}"}, "stringData": {"accessKeyId": "demo", "secretAccessKey": "demo"}})
        self.link, self.policy = declared({side: one.endpoint for side, one in self.servers.items()})
        self.good = copy.deepcopy((self.link, self.policy))
        self.client = None
        self.unclean = []  # moments at which a failover may have left writes behind

    def apply(self):
        for document in (self.link, self.policy):
            self.api.apply(document)

    def edit(self, change):
        for link, policy in ((self.link, self.policy), self.good):
            change(link, policy)
        self.apply()

    def slip(self, change):
        change(self.link, self.policy)
        self.apply()

    def good_again(self):
        self.link, self.policy = copy.deepcopy(self.good)

    def object(self):
        return self.api.get("ReplicationLink", NAME)

    def policy_object(self):
        return self.api.get("FailoverPolicy", NAME)

    def where(self):
        return ((self.api.get("ConfigMap", WHERE) or {}).get("data") or {}).get("primary", "")

    def freeze(self, side, seconds):
        self.processes[side].send_signal(signal.SIGSTOP)
        threading.Timer(seconds, self.processes[side].send_signal, [signal.SIGCONT]).start()

    def unsettled(self):
        try:
            link, policy, where = self.object(), self.policy_object(), self.where()
        except (ApiError, OSError) as error:
            return f"the API: {error}"
        if not link or not policy:
            return self.ABSENT
        for item in (link, policy):
            if item.get("status", {}).get("observedGeneration") != item["metadata"]["generation"]:
                return f"the generation of {item['kind']} is not seen"
            if condition(item, "Ready").get("status") != "True":
                return f"Ready of {item['kind']} is {condition(item, 'Ready')}"
        if policy["status"].get("current"):
            return f"a change is under way: {policy['status']['current']}"
        if not where or where != link["status"].get("primary"):
            return f"clients are sent to {where!r}, {link['status'].get('primary')!r} is primary"
        wanted = policy["spec"].get("desiredPrimary", "")
        if wanted not in ("", where, policy["status"].get("desiredReached", "")):
            return f"{wanted} is to be primary, {where} is"
        return ""

    def content(self, side):
        """key → number."""
        bucket, server, found = SIDES[side], self.servers[side], {}
        for key in server.list(bucket):
            try:
                found[key] = int(server.get(bucket, key))
            except s3api.Refused as error:
                if error.status != 404 or key in server.list(bucket):
                    raise  # else it was removed meanwhile: a copy that is catching up
        return found

    def wait(self, seconds, look, every=0.2):
        deadline = time.monotonic() + seconds
        while (said := look()) and time.monotonic() < deadline:
            time.sleep(every)
        return said


def wrong_keys(told, content, side, unclean, moves):
    """What clients wrote to the bucket `side`, primary now, and is lost or older there, as text.

    What another bucket acknowledged counts as well, unless the primary's server failed after that: copies are made after the fact.
    A key removed soon after a move may come back from the other side, as the docs say: nothing is deleted meanwhile.
    """
    wrong = []
    for key, writes in sorted(told.items()):
        known = [index for index, (at, where, number) in enumerate(writes)
                 if number != "unknown" and (where == side or not any(moment >= at for moment in unclean))]
        if not known:
            continue
        allowed = [number for _, _, number in writes[known[-1] + 1:]] + [writes[known[-1]][2]]
        if any(number == "unknown" for number in allowed):
            continue
        moved = max((at for at in moves if at <= writes[-1][0]), default=None)
        if None in allowed and moved is not None and writes[-1][0] - moved < RETURNS_SECONDS:
            continue
        if content.get(key) not in allowed:
            wrong.append(f"{key} is {content.get(key)}, {' or '.join(map(str, allowed))} was written to {writes[known[-1]][1]}")
    return "; ".join(wrong)


