"""The outages, each from both servers to the other unless it says why not. Each is a function of a Trial."""
import json
import re
import subprocess
import time

from proxy import Refuse, Reset, Rewrite, Silence
from servers import ACCESS_KEY, SECRET_KEY
from trial import MIB, body_of
from world import BIN, ROOT, until

ALL, LARGE = [], []  # the latter only with --large
BOTH = (("minio", "versitygw"), ("versitygw", "minio"))


def scenario(*, pairs=BOTH, proxied=(), large=False):
    def add(function):
        (LARGE if large else ALL).append((function, pairs, proxied))
        return function
    return add


AWKWARD = ["a space", "plus+and space", "100%", "%2F%20", "ümlaut/ñ/日本語/😀", "quote\"'<&>", "semi;colon=a?b#c", "tilde~!*()@$,",
           "..up/b..", "dot.", "back\\slash", "/".join(["k" * 200] * 5)[:1024].ljust(1024, "k")]


def fill_awkward(trial):
    for key in AWKWARD:
        trial.put(key, body_of(50, key))
    trial.put("empty", b"")
    trial.put("folder/", b"")
    for size in (1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1):
        trial.put(f"sizes/{size}", body_of(size, "size"))
    trial.put("rich", b"text", {"Content-Type": "text/plain", "Content-Encoding": "identity", "Cache-Control": "no-store",
                                "Content-Disposition": "attachment; filename=\"a b.txt\"", "Content-Language": "de",
                                "x-amz-meta-owner": "somebody", "x-amz-tagging": "kind=daily&site=a%20b"})


@scenario()
def everything(trial):
    """Full sync, continuous, planted differences, deletes with their cap."""
    fill_awkward(trial)
    trial.fill(60, 1)
    link = trial.link({"listingIntervalSeconds": 3600, "detect": "Auto", "deletes": {"mode": "Replicate", "maxPerSync": 2}}).start()
    count = len(trial.keys("source"))
    seen = trial.settled(link)
    assert seen["missing"] == seen["different"] == seen["extra"] == 0, seen
    assert link.details()["sync"]["total"] == count, link.details()["sync"]

    named = set(re.findall(r"`(twinspan_s3_\w+)`", (ROOT / "docs/metrics.md").read_text()))
    metrics = link.metrics()
    assert len(named) > 5 and all(f"\n{name}{{" in metrics for name in named), (named, metrics)

    trial.target.s3.delete(trial.bucket["target"], "a space")
    trial.plant("100%", b"truncated")
    changed = bytearray(body_of(5 * MIB, "size"))
    changed[MIB] ^= 1
    trial.plant(f"sizes/{5 * MIB}", bytes(changed))
    trial.plant("rich", b"text", {"Content-Type": "text/html"})
    trial.plant("extra", b"the source never had it")
    seen = link.verify("planted")
    assert not seen["consistent"] and (seen["missing"], seen["different"], seen["extra"]) == (1, 3, 1), seen
    assert seen["missingSample"] == ["a space"], seen
    assert sorted(seen["differentSample"]) == sorted(["100%", f"sizes/{5 * MIB}", "rich"]), seen
    assert seen["extraSample"] == ["extra"], seen

    until("the metadata is mended", lambda: trial.described("target", "rich") == trial.described("source", "rich"), 20)
    assert trial.keys("target")["100%"][1] == len(b"truncated"), "the next full sync is an hour away"

    link.kill()
    link.start()  # whose first sync mends what listings tell, and removes what is extra
    until("the extra key goes", lambda: "extra" not in trial.keys("target"))
    trial.settled(link)


@scenario()
def continuous(trial):
    """What is written, replaced and removed arrives by itself; deletes stop at their cap."""
    trial.fill(20, 0)
    link = trial.link({"deletes": {"mode": "Replicate", "maxPerSync": 3}}).start()
    trial.settled(link)
    for key in ("new one", "many/0003"):
        trial.put(key, b"written later")
        until(f"{key} arrives", lambda: trial.target.s3.head(trial.bucket["target"], key) is not None and
              trial.target.s3.get(trial.bucket["target"], key) == b"written later", 30)
    for i in range(3):
        trial.source.s3.delete(trial.bucket["source"], f"many/{i:04}")
    until("three deletes follow", lambda: len(trial.keys("target")) == 18, 30)
    link.kill()
    for i in range(4, 8):
        trial.source.s3.delete(trial.bucket["source"], f"many/{i:04}")
    link.start()
    until("a sync after the four deletes", link.synced())
    syncs = link.details()["sync"]
    until("another one", lambda: link.details().get("sync", {}).get("startedAt", "") > syncs["startedAt"], 30)
    until("it is over", link.synced())
    assert len(trial.keys("target")) == 18, "more than the cap was deleted"
    trial.nothing_left()


@scenario()
def versions(trial):
    """All versions and delete markers, in their order and once, also where the worker is killed in the middle."""
    source, target = trial.bucket["source"], trial.bucket["target"]
    link = trial.link({"versions": "All", "deletes": {"mode": "Replicate"}}).start()
    until("it says that versioning is off", lambda: "VersioningNotEnabled" in json.dumps(link.details()), 30)
    trial.source.s3.keep_versions(source)

    def write(key, bodies):
        for body in bodies:
            if body is None:
                trial.source.s3.delete(source, key)
            else:
                trial.put(key, body, {"x-amz-meta-owner": "somebody", "x-amz-tagging": "kind=daily"})

    def contents(end, key):
        server = trial.source if end == "source" else trial.target  # what is large has other parts, and so another ETag
        return [size if key == "big" else etag for _, etag, size in server.s3.history(trial.bucket[end], key)]

    def carried():
        for key in keys:
            ours, theirs = contents("source", key), contents("target", key)
            if ours != theirs:
                return f"{key}: {ours} is {theirs}"
        return True

    keys = ["a space", "below/1", "big", "deleted", "fresh", *(f"many/{i:03}" for i in range(30))]
    write("a space", [b"1", b"2", None, b"1", b"3"])
    write("deleted", [b"1", None])
    write("below/1", [b"same", b"same", b"other", b"same"])
    trial.put_parts("big", [body_of(5 * MIB, "first"), b"the rest"])
    trial.put_parts("big", [body_of(5 * MIB, "second"), b"another rest"])
    trial.put("big", body_of(20 * MIB, "plain"))
    for key in keys[5:]:
        write(key, [f"{key} {i}".encode() for i in range(10)])
    assert not trial.keys("target"), "copied into a bucket that keeps no versions"
    trial.target.s3.keep_versions(target)
    until("some have been carried", lambda: len(trial.keys("target")) > 5, 60)
    link.kill()
    assert carried() is not True, "too late to be killed in the middle"
    link.start()
    until("all are carried", carried, 90)

    write("a space", [None, b"2"])
    write("fresh", [b"1", b"1", None])
    write("below/1", [b"other", None])
    until("what came later is carried", carried, 60)
    before = [trial.source.s3.history(source, key) for key in keys], [trial.target.s3.history(target, key) for key in keys]
    syncs = link.details()["sync"]
    until("another sync", lambda: link.details().get("sync", {}).get("startedAt", "") > syncs["startedAt"], 30)
    until("it is over", link.synced())
    assert before == ([trial.source.s3.history(source, key) for key in keys], [trial.target.s3.history(target, key) for key in keys])
    oldest, *_ = trial.target.s3.history(target, "a space")[0]
    answer, body = trial.target.s3.request("GET", target, "a space", {"versionId": oldest})
    assert (body, answer.headers["x-amz-meta-owner"]) == (b"1", "somebody")
    seen = link.verify("histories")
    assert seen["consistent"], seen

    trial.plant("a space", b"somebody else's")
    until("the newest is the source's again", lambda: trial.target.s3.get(target, "a space") == b"2", 30)
    assert contents("target", "a space")[:-2] == contents("source", "a space")
    trial.nothing_left()


@scenario(pairs=(("stub", "minio"), ("stub", "versitygw")))
def folded(trial):
    """Keys that a server of files takes for other keys: named as failed, and the others are not touched."""
    plain = ["a/b", "b", "lead", "file"]
    odd = ["a//b", "a/./b", "a/../b", "/lead", "x//y"]
    for key in plain + odd + ["file/below"]:
        trial.put(key, b"body of " + key.encode())
    # MinIO hides "file/below" and refuses to make it twice (412): a look at what is there is no try.
    link = trial.link({"retries": {"max": 1, "backoffBaseSeconds": 1}, "deletes": {"mode": "Replicate", "maxPerSync": 1000}}).start()
    minio = trial.target.kind == "minio"
    failed = odd if minio else odd + ["file/below"]  # a file is no folder
    seen = until("the sync is over", link.synced(failed=len(failed)))
    assert sorted(one["key"] for one in seen["failedSample"]) == sorted(failed), seen
    assert any("takes the key" in one["error"] for one in seen["failedSample"]), seen
    until("the next one too", lambda: link.details()["sync"].get("startedAt", "") > seen["startedAt"], 30)
    until("it is over", link.synced(failed=len(failed)))
    if minio:
        trial.put("file/below", b"newer body of file/below")
        until("what it hides is kept up to date", lambda: trial.target.s3.get(trial.bucket["target"], "file/below") == b"newer body of file/below" or "old", 30)
        trial.put("file/below", b"body of file/below")
        until("and again", lambda: trial.target.s3.get(trial.bucket["target"], "file/below") == b"body of file/below" or "old", 30)
    for key in plain + (["file/below"] if minio else []):
        assert trial.target.s3.get(trial.bucket["target"], key) == b"body of " + key.encode(), key
    assert set(trial.keys("target")) == set(plain), trial.keys("target")  # MinIO has file/below, and doesn't list it
    listed = trial.target.s3.get(trial.bucket["target"], f".twinspan/failed/outages/{trial.name}/target.json")
    assert sorted(one["key"] for one in json.loads(listed)["keys"]) == sorted(failed), listed
    metrics = link.metrics()
    assert f'twinspan_s3_failed_objects{{namespace="outages",link="{trial.name}",endpoint="target",share="0"}} {len(failed)}' in metrics, metrics
    trial.nothing_left()


@scenario(pairs=(("minio", "full"),))
def full(trial):
    """The target's volume is full in the middle of a sync; it gets larger."""
    trial.fill(40, 2)
    link = trial.link({"retries": {"networkMax": 1, "max": 1, "backoffBaseSeconds": 1}}).start()
    told = until("objects are given up", lambda: (link.details().get("sync", {}).get("failedSample") or "none"), 60)
    assert told[0]["error"], told
    assert not link.details().get("stalled"), "it passes when there is room"
    trial.target.grow()
    trial.settled(link)


@scenario(proxied=("source", "target"))
def away(trial):
    """The source, then the target: unreachable for a while in the middle of a sync."""
    trial.fill(150, 2)
    link = trial.link({"bandwidth": {"bytesPerSecond": 20 * MIB}}).start()
    until("the sync is under way", lambda: len(trial.keys("target")) > 5)
    for end in ("source", "target"):
        trial.proxies[end].go_away()
        until(f"the status names the {end}", lambda: f"{end}: " in link.endpoint(end).get("message", ""), 60)
        trial.proxies[end].come_back()
        trial.put(f"while the {end} was away", b"arrives all the same")
    trial.settled(link)


@scenario(proxied=("source", "target"))
def silent(trial):
    """Half of what is asked within five seconds is never answered, and nobody says so."""
    trial.fill(60, 1)
    link = trial.link().start()
    until("the sync is under way", lambda: len(trial.keys("target")) > 5)
    for proxy in trial.proxies.values():
        proxy.rule = lambda asked, random=proxy.random: Silence() if random.random() < 0.5 else None
    time.sleep(5)
    for proxy in trial.proxies.values():
        proxy.rule = None
    trial.settled(link, seconds=120)


@scenario(proxied=("source",))
def cut_listing(trial):
    """A listing that breaks off, then one that lies about its end: no key of the target may go."""
    trial.fill(60, 0)
    link = trial.link({"deletes": {"mode": "Replicate", "maxPerSync": 1000}}).start()
    trial.settled(link)
    before = trial.keys("target")
    trial.plant("extra", b"to be removed once both sides were listed to their ends")
    proxy = trial.proxies["source"]
    proxy.rule = lambda asked: Reset(down=2000) if asked.is_list else None
    until("the status says so", lambda: bool(link.endpoint("target").get("message")), 60)
    assert "extra" in trial.keys("target"), "removed on half a listing"

    def half(body):  # well-formed, complete by its own word, and without the second half of the keys
        pieces = body.split(b"<Contents>")
        keep = pieces[:len(pieces) // 2]
        return b"<Contents>".join(keep) + b"</ListBucketResult>" if len(pieces) > 2 else body

    proxy.rule = lambda asked: Rewrite(half) if asked.is_list and asked.query.get("max-keys", "1000") == "1000" else None
    until("a sync that believes it", lambda: "extra" not in trial.keys("target"), 60)
    assert trial.keys("target") == before, "what the source still has was removed"
    proxy.rule = None
    trial.settled(link)


@scenario(proxied=("source", "target"))
def storm(trial):
    """Three of ten requests are answered 503, on both sides."""
    for proxy in trial.proxies.values():
        proxy.rule = lambda asked, random=proxy.random: Refuse() if random.random() < 0.3 else None
    trial.fill(150, 2)
    link = trial.link().start()
    trial.settled(link, seconds=120)
    assert all(proxy.broken > 20 for proxy in trial.proxies.values())


@scenario(proxied=("source", "target"))
def resets(trial):
    """Connections are reset in the middle of bodies, parts of uploads among them."""
    for proxy in trial.proxies.values():
        def rule(asked, random=proxy.random):
            if random.random() > 0.25:
                return None
            size = asked.size
            return Reset(up=random.randrange(size)) if size > 1 else Reset(down=random.randrange(3 * MIB) if random.random() < 0.5 else 10)
        proxy.rule = rule
    trial.fill(100, 3)
    link = trial.link().start()
    trial.settled(link, seconds=120)
    assert all(proxy.broken > 20 for proxy in trial.proxies.values())


@scenario()
def credentials(trial):
    """Wrong ones, right ones, and others while the sync is under way."""
    trial.fill(150, 2)
    link = trial.link({"bandwidth": {"bytesPerSecond": 20 * MIB}}, credentials=("nobody", "knows-this-one")).start()
    stalled = until("the link says that they are refused", lambda: link.details().get("stalled") or "not stalled", 30)
    assert stalled["reason"] == "AccessDenied", stalled
    assert "knows-this-one" not in str(link.report()), "a secret in the status"
    assert not trial.keys("target")
    ends = {"source": trial.source, "target": trial.target}
    minio_end = next(end for end, server in ends.items() if server.kind == "minio")
    minio = ends[minio_end]
    for user in ("first", "second"):
        minio.admin("admin", "user", "add", "own", f"{trial.name}-{user}", f"secret-of-{user}")
        minio.admin("admin", "policy", "attach", "own", "readwrite", "--user", f"{trial.name}-{user}")
    for end in ends:
        link.credentials(end, *((f"{trial.name}-first", "secret-of-first") if end == minio_end else (ACCESS_KEY, SECRET_KEY)))
    until("the sync is under way", lambda: len(trial.keys("target")) > 5, 90)
    minio.admin("admin", "user", "remove", "own", f"{trial.name}-first")  # refused before the new ones are there
    time.sleep(1)
    link.credentials(minio_end, f"{trial.name}-second", "secret-of-second")
    trial.settled(link, seconds=120)


@scenario()
def clock_ahead(trial):
    """The worker's clock is 20 minutes ahead of both servers'."""
    clock(trial, 1200)


@scenario()
def clock_behind(trial):
    """The worker's clock is 20 minutes behind both servers'."""
    clock(trial, -1200)


def clock(trial, offset_seconds):
    trial.fill(20, 1)
    environment = {"LD_PRELOAD": str(trial.world.clock_library), "CLOCK_OFFSET_SECONDS": str(offset_seconds)}
    trial.settled(trial.link(environment=environment).start())
    log = (trial.folder / "link/worker.log").read_text()
    assert "clock differs from the S3 server's" in log, "the clock was right"


@scenario()
def killed(trial):
    """The worker is killed 50 times (25 in each direction) during a sync; nothing is deleted beyond the cap."""
    trial.fill(200, 4)
    extra = ["extra/1", "extra/2", "extra/3"]
    for key in extra:
        trial.plant(key, b"three of them, and the cap is two")
    link = trial.link({"bandwidth": {"bytesPerSecond": 10 * MIB}, "deletes": {"mode": "Replicate", "maxPerSync": 2}})
    random = trial.world.random
    kills = 0
    while kills < 25:
        assert link.lives < 100, f"only {kills} of {link.lives} kills came during a sync"
        link.start()
        until("it replicates", lambda: link.details().get("sync") is not None, 30, 0.01)
        time.sleep(random.uniform(0, 0.4))
        early = not link.details().get("sync", {}).get("completedAt")
        link.kill()
        kills += early
        if not early:
            trial.put(f"more/{link.lives}", body_of(20 * MIB, f"{trial.name}/{link.lives}"))
    link.start()
    until("synced in the end", link.synced(), 60)
    ours = trial.keys("source")
    for key in ours:
        trial.same(key)
    assert set(trial.keys("target")) == set(ours) | set(extra)
    seen = link.verify("in-the-end")
    assert (seen["missing"], seen["different"], seen["extra"]) == (0, 0, 3), seen
    trial.nothing_left()


@scenario(pairs=(("versitygw", "minio"),))
def sealed(trial):
    """Copies compressed and encrypted on the way; a killed worker goes on; `mc cat … | twinspan-s3-open` gives the originals back."""
    trial.fill(20, 1)
    trial.put("empty", b"")
    trial.put("text", b"the same words again and again " * 100000)
    link = trial.link({"compression": "Zstd", "clientEncryption": {"keySecretRef": {"name": "key", "key": "key"}}})
    key = trial.folder / "link/s3/client_encryption/key"
    key.parent.mkdir(parents=True)
    key.write_bytes(trial.world.random.randbytes(32))
    link.start()
    until("it is under way", lambda: len(trial.keys("target")) > 3, 30, 0.01)
    link.kill()
    link.start()
    until("everything is there", link.synced())
    for name in trial.keys("source"):
        stored = trial.target.cat(trial.bucket["target"], name)
        assert stored != trial.source.s3.get(trial.bucket["source"], name), name
        opened = subprocess.run([BIN / "twinspan-s3-open", "--key-file", key, "--name", name], input=stored, capture_output=True, check=True).stdout
        assert opened == trial.source.s3.get(trial.bucket["source"], name), name
    assert trial.keys("target")["text"][1] < 100000, "it is not compressed"
    assert link.verify("sealed")["consistent"]
    trial.nothing_left()


@scenario(pairs=(("minio", "minio"),), large=True)
def copied_by_the_server(trial):
    """5 GiB, which is what one copy may have, and one byte more: within one server, without a byte through the worker."""
    sparse = trial.folder / "sparse"
    for size, key, words in ((5 << 30, "whole", ["--disable-multipart"]), ((5 << 30) + 1, "in-parts", [])):
        with open(sparse, "wb") as file:
            file.truncate(size)
        trial.source.admin("cp", *words, str(sparse), f"own/{trial.bucket['source']}/{key}")
    sparse.unlink()
    link = trial.link().start()
    until("both are there", link.synced(), 600)
    assert trial.keys("target") == trial.keys("source")
    assert trial.keys("target")["whole"][1] == 5 << 30
    assert link.verify("large")["consistent"]
    trial.nothing_left()
