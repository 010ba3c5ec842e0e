"""A table that was dropped, back as it was a second before, in a new link and in place: the link's log and a backup in MinIO with TLS, a failover in between."""
import base64
import contextlib
import json
import sys
import time

import pytest
import yaml

import figures
import processes
import sql
from link import GROUP, Link, condition
from target import ROOT
from test_75_people import manifest, small, wait_writable
from waiting import until, within

sys.path.insert(0, str(ROOT / "tests/outages"))
import servers  # noqa: E402

pytestmark = pytest.mark.needs("node", "helm", "operators")
NAMESPACE, BUCKET, HOST = "kept", "backups", "bucket.kept.svc"
ROWS = 1_000_000


@contextlib.contextmanager
def bucket(target, folder):
    """MinIO on the node, under a name that pods resolve: pgBackRest compares names with certificates."""
    node = next(one["address"] for one in target.api.items("/api/v1/nodes")[0]["status"]["addresses"] if one["type"] == "InternalIP")
    server = servers.Minio(servers.Authority(folder / "ca"), folder / "minio", host=node, names=[HOST])
    try:
        server.s3.make_bucket(BUCKET)
        target.kubectl("apply", "--server-side", "-f", "-", feed=yaml.safe_dump_all([
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bucket", "namespace": NAMESPACE}, "spec": {"ports": [{"port": server.port}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": [{"addresses": [node]}],
             "metadata": {"name": "bucket", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": "bucket"}},
             "ports": [{"name": "", "port": server.port}]}]))
        yield server
    finally:
        server.stop()


@pytest.fixture
def kept(target):
    link = Link(target, NAMESPACE, manifest(target), small)
    link.apply()
    try:
        link.wait_healthy(90)
        wait_writable(link)
        yield link
    finally:
        target.kubectl("-n", NAMESPACE, "delete", "restores,backups,backupschedules", "--all", "--timeout=60s", check=False, seconds=70)
        link.remove()


def ours(kind, name, spec):
    return {"apiVersion": "twinspan.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def secret(name, **values):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


def apply(target, *documents):
    target.kubectl("apply", "--server-side", "-f", "-", feed=yaml.safe_dump_all(documents))


def back_up(target, server):
    apply(target, secret("bucket", accessKeyId=server.s3.access_key, secretAccessKey=server.s3.secret_key, **{"ca.crt": server.ca.read_text()}),
          secret("passphrase", key="0123456789abcdef0123456789abcdef"),
          ours("BackupSchedule", "orders", {
              "linkRef": {"name": "orders"}, "encryption": {"keySecretRef": {"name": "passphrase", "key": "key"}},
              "destination": {"s3": {"endpoint": f"https://{HOST}:{server.port}", "bucket": BUCKET, "prefix": "orders/",
                                     "credentialsSecretRef": {"name": "bucket"}, "caSecretRef": {"name": "bucket"}}}}))

    def stores():
        ready = condition(target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/backupschedules/orders"), "Ready")
        return ready.get("status") == "True" or f"Ready is {ready}"

    return stores


def stored_up_to(server, segment):
    """Names of segments sort by timeline, then by position; the newest one is followed by its digest."""
    names = [key.rsplit("/", 1)[-1][:24] for key in server.s3.list(BUCKET) if "/archive/" in key and len(key.rsplit("/", 1)[-1]) > 64]
    return max(names, default="") >= segment or f"stored up to {max(names, default='')}"


def fill(link):
    """More than a segment, so that all before it is stored."""
    sql.ask(link.service_dsn(), "CREATE TABLE later AS SELECT repeat(md5(i::text), 10) FROM generate_series(1, 80000) i", seconds=60)


def reach(target, kind, name, phase, seconds):
    def reached():
        status = target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/{kind}/{name}")["status"]
        assert status.get("phase") != "Failed", status
        return status if status.get("phase") == phase else f"{kind} {name}: {status}"

    return until(f"{kind} {name} is {phase}", reached, seconds)


def rows(dsn):
    return sql.ask(dsn, "SELECT count(*), sum(hashtext(text)::bigint) FROM rows", seconds=60)[0]


def restored_dsn(link, name):
    """The primary of the link that a Restore made; no policy names a Service for it."""
    primary = link.target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/replicationlinks/{name}")["status"]["primary"]
    pod = link.target.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{name}-{primary}-0")
    owner = link.target.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}-owner")["data"]
    username, password = (base64.b64decode(owner[key]).decode() for key in ("username", "password"))
    return sql.dsn(pod["status"]["podIP"], username, password, link.database())


@pytest.mark.skipif("minio" in servers.missing(), reason="SKIPPED: MinIO is not built: e2e/cluster build minio")
def test_a_dropped_table_is_back_as_it_was_a_second_before(target, kept, tmp_path):
    with bucket(target, tmp_path) as server:
        stores = back_up(target, server)
        took = within("the log is stored", stores, 180)
        figures.record("backup: apply to the log being stored, one restart of each member", took, "s", "< 180")
        kept.wait_healthy(60)
        wait_writable(kept)
        sql.ask(kept.service_dsn(), f"CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, {ROWS}) i", seconds=120)
        began = time.monotonic()
        apply(target, ours("Backup", "first", {"scheduleRef": {"name": "orders"}}))
        status = reach(target, "backups", "first", "Completed", 180)
        figures.record("backup: full, to Completed", time.monotonic() - began, "s")
        assert status["label"].endswith("F") and status["attempts"] == 1, status

        old = kept.primary()
        processes.kill(kept.postmaster(old))
        kept.wait_primary(kept.replicas())
        kept.wait_healthy(60)
        wait_writable(kept)
        sql.ask(kept.service_dsn(), f"INSERT INTO rows SELECT i, md5(i::text) FROM generate_series({ROWS + 1}, {ROWS + 1000}) i", seconds=30)
        there = rows(kept.service_dsn())
        assert there[0] == ROWS + 1000
        time.sleep(1)
        moment = sql.ask(kept.service_dsn(), "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")[0][0]
        time.sleep(1)
        sql.ask(kept.service_dsn(), "DROP TABLE rows")
        # What is restored has to know that the moment is over: something later is stored, too.
        segment = sql.ask(kept.service_dsn(), "SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
        fill(kept)
        until(f"{segment} is stored, in which the table was dropped", lambda: stored_up_to(server, segment), 120)

        began = time.monotonic()
        apply(target, ours("Restore", "orders-before", {
            "from": {"scheduleRef": {"name": "orders"}}, "target": {"time": moment}, "to": {"newLink": {"name": "orders-before"}}}))
        reach(target, "restores", "orders-before", "Completed", 240)
        assert rows(restored_dsn(kept, "orders-before")) == there
        figures.record(f"restore: {ROWS} rows back in a new link, Ready with its replica", time.monotonic() - began, "s")
        assert sql.ask(kept.service_dsn(), "SELECT count(*) FROM pg_class WHERE relname = 'rows'")[0][0] == 0, "the first link goes on"


def now_there(link):
    return sql.ask(link.service_dsn(), "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")[0][0]


def has_rows(dsn):
    return sql.ask(dsn, "SELECT count(*) FROM pg_class WHERE relname = 'rows'")[0][0] == 1


@pytest.mark.skipif("minio" in servers.missing(), reason="SKIPPED: MinIO is not built: e2e/cluster build minio")
def test_a_link_goes_back_in_place_and_forth_again(target, kept, tmp_path):
    """The same link, the same Service: the table is back, the replica follows; then the data of before the restore are back, with what was written after the moment."""
    with bucket(target, tmp_path) as server:
        target.kubectl("-n", NAMESPACE, "patch", "replicationlink", "orders", "--type=merge", "-p", json.dumps({"spec": {"postgres": {"diverged": "Clone"}}}))
        until("the log is stored", back_up(target, server), 180)
        kept.wait_healthy(60)
        wait_writable(kept)
        sql.ask(kept.service_dsn(), "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 100000) i", seconds=60)
        apply(target, ours("Backup", "first", {"scheduleRef": {"name": "orders"}}))
        reach(target, "backups", "first", "Completed", 180)
        sql.ask(kept.service_dsn(), "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(100001, 101000) i", seconds=30)
        there = rows(kept.service_dsn())
        time.sleep(1)
        moment = now_there(kept)
        time.sleep(1)
        sql.ask(kept.service_dsn(), "DROP TABLE rows")
        segment = sql.ask(kept.service_dsn(), "SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
        fill(kept)
        until(f"{segment} is stored, in which the table was dropped", lambda: stored_up_to(server, segment), 120)

        primary, began = kept.primary(), time.monotonic()
        apply(target, ours("Restore", "back", {"from": {"scheduleRef": {"name": "orders"}}, "target": {"time": moment},
                                               "to": {"inPlace": {"linkRef": {"name": "orders"}, "confirm": "orders"}}}))
        status = reach(target, "restores", "back", "Completed", 300)
        figures.record("restore: 101000 rows back in place, Ready with its replica", time.monotonic() - began, "s")
        assert status["endpoint"] == primary == kept.primary() and status["into"] == "orders" and "oldDataUntil" in status, status
        wait_writable(kept)
        assert rows(kept.service_dsn()) == there
        assert sql.ask(kept.service_dsn(), "SELECT count(*) FROM pg_class WHERE relname = 'later'")[0][0] == 0, "what was written after the moment is not there"
        link = target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/replicationlinks/orders")
        assert "restore" not in link["status"], "no order is left that could replace data later"

        target.kubectl("-n", NAMESPACE, "annotate", "restore", "back", "twinspan.dev/bring-back=orders")

        def brought_back():
            said = target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/restores/back")["status"].get("broughtBack", "")
            assert not said.startswith("Failed"), said
            return said == "Completed" or f"broughtBack: {said}"

        took = within("the old data are back", brought_back, 120)
        figures.record("restore in place: the old data back", took, "s")
        wait_writable(kept)
        assert not has_rows(kept.service_dsn())
        assert sql.ask(kept.service_dsn(), "SELECT count(*) FROM later", seconds=30)[0][0] == 80000
        kept.wait_healthy(120)


def verified(target):
    return target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/backupschedules/orders")["status"].get("verified", {})


def test_once(target, test):
    """What the test of a restore that is begun next comes to; no other one begins."""
    change = {"suspend": False, "verification": {"schedule": "* * * * *", "restoreTest": test}}

    def patch(spec):
        target.kubectl("-n", NAMESPACE, "patch", "backupschedule", "orders", "--type=merge", "-p", json.dumps({"spec": spec}))

    patch(change)
    until("a test runs", lambda: verified(target).get("restored") == "Running" or str(verified(target)), 120)
    patch({"suspend": True})
    until("it has ended", lambda: verified(target)["restored"] != "Running" or str(verified(target)), 300)

    def gone():
        left = target.kubectl("-n", NAMESPACE, "get", "pods,persistentvolumeclaims", "-l", "twinspan.dev/restore-test=orders", "-o", "name").stdout.split()
        return not left or f"left: {left}"

    until("its pod and its volume are gone", gone, 90)
    return verified(target)


test_once.__test__ = False


@pytest.mark.skipif("minio" in servers.missing(), reason="SKIPPED: MinIO is not built: e2e/cluster build minio")
def test_a_restore_is_tested_in_a_pod_that_goes_away(target, kept, tmp_path):
    with bucket(target, tmp_path) as server:
        until("the log is stored", back_up(target, server), 180)
        kept.wait_healthy(60)
        wait_writable(kept)
        sql.ask(kept.service_dsn(), "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 100000) i", seconds=60)
        apply(target, ours("Backup", "first", {"scheduleRef": {"name": "orders"}}))
        reach(target, "backups", "first", "Completed", 180)
        sql.ask(kept.service_dsn(), "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(100001, 200000) i", seconds=60)
        segment = sql.ask(kept.service_dsn(), "SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
        fill(kept)
        until(f"{segment} is stored", lambda: stored_up_to(server, segment), 120)
        count = {"query": "SELECT count(*) FROM rows", "atLeast": 200000}
        passed = test_once(target, {"amcheck": True, "queries": ["SELECT * FROM rows ORDER BY text"], "checks": [count], "storage": {"size": "2Gi"}})
        assert passed["restored"] == "Passed", passed
        figures.record("restore test: from nothing to PostgreSQL answering", passed["restoredSeconds"], "s")
        assert target.api.get(f"{GROUP}/namespaces/{NAMESPACE}/backups/first")["status"]["verified"]["level"] == "Restored"
        failed = test_once(target, {"checks": [count | {"atLeast": 200001}]})
        assert failed["restored"] == "Failed" and "gives 200000, at least 200001" in failed["restoredMessage"], failed
        assert failed["restoredAt"] == passed["restoredAt"], failed
