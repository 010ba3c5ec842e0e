"""A database of another server copied into a new link, as docs/import.md says, with the pod's PostgreSQL killed in the middle."""
import json
import os
import time

import psycopg2
import pytest

import figures
import processes
import sql
from link import Link, condition
from test_75_people import manifest, small
from waiting import until

MEGABYTES = int(os.environ.get("E2E_IMPORT_MB", "192"))
ROWS_PER_MEGABYTE = 2900  # in two tables of rows of 170 bytes, each with its key
SUM = "SELECT (SELECT count(*) FROM {0}) + (SELECT count(*) FROM {1}), (SELECT sum(hashtext(text)::bigint) FROM {0}), (SELECT sum(hashtext(text)::bigint) FROM {1})"


@pytest.fixture
def filled(link):
    """Two tables in the shared link, the source."""
    tables = ("imported_a", "imported_b")
    for table in tables:
        sql.ask(link.service_dsn(), f"DROP TABLE IF EXISTS {table}")
        sql.ask(link.service_dsn(), f"CREATE TABLE {table} AS SELECT n, repeat(md5(n::text), 4) AS text FROM generate_series(1, {ROWS_PER_MEGABYTE * MEGABYTES}) n",
                seconds=600)
        sql.ask(link.service_dsn(), f"ALTER TABLE {table} ADD PRIMARY KEY (n)", seconds=300)
    yield link, SUM.format(*tables)
    for table in tables:
        sql.ask(link.service_dsn(), f"DROP TABLE IF EXISTS {table}", seconds=60)


def imported(source):
    """The link that begins with the source's database, one replica."""
    def edit(documents):
        small(documents)
        documents["ReplicationLink"]["spec"].setdefault("postgres", {})["bootstrap"] = {"import": {
            "host": f"{source.writes}.{source.namespace}.svc", "database": source.database(), "username": source.owner()[0],
            "passwordSecretRef": {"name": "source", "key": "password"}, "caSecretRef": {"name": "source"}, "jobs": 2}}

    link = Link(source.target, "imported", manifest(source.target), edit)
    secret = source.target.api.get(f"/api/v1/namespaces/{source.namespace}/secrets/{source.name}-owner")
    keys = {key: secret["data"][key] for key in ("password", "ca.crt")}
    for document in ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": link.namespace}},
                     {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source", "namespace": link.namespace}, "data": keys}):
        source.target.kubectl("apply", "--server-side", "-f", "-", feed=json.dumps(document))
    return link


def told(link):
    return link.status().get("import", {})


@pytest.mark.needs("node", "volumes")
def test_a_database_is_copied_whole_though_its_server_is_killed_in_the_middle(filled):
    source, content = filled
    expected = sql.ask(source.service_dsn(), content, seconds=120)
    link = imported(source)
    try:
        began = time.monotonic()
        link.apply()
        until("rows come", lambda: (now := told(link)).get("phase") == "Rows" or f"{now}", 120, every=0.05)
        assert condition(link.object(), "Ready")["status"] != "True", "Ready over half a database"
        with pytest.raises(psycopg2.OperationalError, match="too many connections"):
            sql.ask(link.instance_dsn(link.primary()), "SELECT 1")
        processes.kill(link.postmaster(link.primary()))
        until("all is here", lambda: (now := condition(link.object(), "Imported")).get("status") == "True" or f"{now}, {told(link)}", 1200)
        took = time.monotonic() - began
        status = told(link)
        print(f"  {status}", flush=True)
        assert status["phase"] == "Completed" and status["tables"] == status["tablesDone"] >= 2, status
        link.wait_healthy(180)
        assert sql.ask(link.service_dsn(), content, seconds=120) == expected
        for replica in link.replicas():
            until("the replica has all of it", lambda: sql.ask(link.instance_dsn(replica), content, seconds=120) == expected, 60)
        size = sql.ask(source.service_dsn(), "SELECT pg_database_size(current_database())")[0][0]
        figures.record(f"import of {size / 2**20:.0f} MiB, killed once", took, "s")
    finally:
        link.remove()
