"""One scenario between two servers: its buckets, its faults, its worker, and what must hold when it is over."""
import hashlib
import random

from proxy import Proxy
from servers import ACCESS_KEY, SECRET_KEY
from world import Link, until

HEADERS = ("Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control", "Expires")
MIB = 1 << 20


def body_of(size, seed):
    return random.Random(f"{seed}/{size}").randbytes(size)


class Trial:
    """`proxied` names the ends that are reached through a proxy."""

    def __init__(self, world, name, source, target, proxied=()):
        self.world, self.name, self.source, self.target = world, name, source, target
        self.folder = world.folder / name
        self.folder.mkdir()
        self.bucket = {"source": f"{name}-from", "target": f"{name}-to"}
        source.s3.make_bucket(self.bucket["source"])
        target.s3.make_bucket(self.bucket["target"])
        self.proxies = {end: Proxy(server.endpoint, *world.proxy_certificate, world.authority.ca)
                        for end, server in (("source", source), ("target", target)) if end in proxied}
        self._link = None

    def link(self, settings=None, environment=None, credentials=(ACCESS_KEY, SECRET_KEY)):
        at = {end: (self.proxies[end].endpoint if end in self.proxies else server.endpoint, self.bucket[end])
              for end, server in (("source", self.source), ("target", self.target))}
        self._link = Link(self.world.api, self.world.authority, self.folder / "link", self.name, at["source"], at["target"],
                          credentials, settings, environment)
        return self._link

    def close(self):
        if self._link:
            self._link.stop()
        for proxy in self.proxies.values():
            proxy.close()

    # Both sides, without the proxies.
    def put(self, key, body, headers=None):
        self.source.s3.put(self.bucket["source"], key, body, headers)

    def put_parts(self, key, parts, headers=None):
        self.source.s3.put_parts(self.bucket["source"], key, parts, headers)

    def plant(self, key, body, headers=None):
        self.target.s3.put(self.bucket["target"], key, body, headers)

    def fill(self, objects=100, large=2, prefix="many/"):
        for i in range(objects):
            self.put(f"{prefix}{i:04}", body_of(i * 37, f"{self.name}/{i}"))
        for i in range(large):
            self.put(f"large/{prefix}{i}", body_of(20 * MIB + i, self.name))
            self.put_parts(f"parts/{prefix}{i}", [body_of(5 * MIB, f"{self.name}/{i}"), body_of(5 * MIB, "second"), b"the rest"])

    def keys(self, end):
        return (self.source if end == "source" else self.target).s3.list(self.bucket[end])

    def described(self, end, key):
        """Everything a copy has to have."""
        server, bucket = (self.source if end == "source" else self.target), self.bucket[end]
        answer, body = server.s3.request("GET", bucket, key)
        headers = {name: answer.headers[name] for name in HEADERS if answer.headers[name]}
        if key.endswith("/"):
            del headers["Content-Type"]  # Versity has one of its own for folders
        users = {name.lower(): value for name, value in answer.headers.items()
                 if name.lower().startswith("x-amz-meta-") and name.lower() != "x-amz-meta-twinspan-source-etag"}
        return {"bytes": len(body), "md5": hashlib.md5(body).hexdigest(), **headers, **users, "tags": server.s3.tags(bucket, key)}

    def same(self, key):
        ours, theirs = self.described("source", key), self.described("target", key)
        assert ours == theirs, f"{key}: {ours} is {theirs} at the target"

    def half_uploads(self):
        return self.target.half_uploads(self.bucket["target"], {*self.keys("source"), *self.keys("target")})

    def settled(self, link, extra=(), seconds=90):
        """The end of every scenario: synced, verified, the same by our own look at it, nothing left behind."""
        until(f"{self.name} is synced", link.synced(), seconds)
        for round_ in range(8):  # beside a sync, what is on its way counts as missing
            seen = link.verify(f"{self.name}-{link.lives}-{round_}")
            if seen["consistent"]:
                break
        assert seen["consistent"], seen
        ours, theirs = self.keys("source"), self.keys("target")
        assert seen["checked"] == len(ours), (seen, len(ours))
        assert set(theirs) == set(ours) | set(extra), sorted(set(theirs) ^ set(ours))[:10]
        for key in ours:
            self.same(key)
        self.nothing_left()
        return seen

    def nothing_left(self):
        until("no half upload is left", lambda: not self.half_uploads() or f"left: {self.half_uploads()}", 10)
        records = [key for key in self.target.s3.state(self.bucket["target"]) if key.startswith(".twinspan/uploads/")]
        assert not records, records
