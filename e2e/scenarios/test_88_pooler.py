"""PgBouncer in front of the link, as docs/pooler.md tells to put it there, through a killed primary and a switchover."""
import os
import re
import subprocess
import time

import psycopg2
import pytest

import figures
import sql
from target import ROOT
from trial import Trial
from waiting import until
from writer import Writer

IMAGE = "localhost/pgbouncer:1.18"  # e2e/images builds it from the page
HOST = "orders-pooler.shop.svc"
pytestmark = [pytest.mark.needs("node", "volumes"),
              pytest.mark.skipif("E2E_REGION" not in os.environ, reason="SKIPPED on this target: PgBouncer's image is loaded into clusters that e2e/run made")]


@pytest.fixture
def pooler(link, tmp_path):
    """What the page tells to type, with the image's name put into the manifest; a function that makes DSNs through it."""
    text = (ROOT / "docs/pooler.md").read_text()
    commands = re.search(r"^```\n(openssl .*?)^```", text, re.S | re.M)[1]
    (tmp_path / "examples").mkdir()
    manifest = (ROOT / "examples/pgbouncer.yaml").read_text()
    assert "image: pgbouncer:1.18\n" in manifest
    (tmp_path / "examples/pgbouncer.yaml").write_text(manifest.replace("image: pgbouncer:1.18\n", f"image: {IMAGE}\n"))
    kubectl = " ".join(link.target.kubectl_command())
    done = subprocess.run(["bash", "-ec", commands.replace("kubectl ", f"{kubectl} ")], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    address = link.target.api.get("/api/v1/namespaces/shop/services/orders-pooler")["spec"]["clusterIP"]

    def dsn(**more):
        return link.dsn(HOST, **{"hostaddr": address, "sslmode": "verify-full", "sslrootcert": str(tmp_path / "pooler.crt"), **more})

    until("traffic arrives at PgBouncer", lambda: reached(dsn()), 20)
    yield dsn
    link.target.kubectl("delete", "-f", str(tmp_path / "examples/pgbouncer.yaml"), "--ignore-not-found", "--timeout=60s", seconds=70)
    link.target.kubectl("-n", "shop", "delete", "secret", "orders-pooler", "--ignore-not-found")


def reached(dsn):
    """kube-proxy takes a second and more to know a Service."""
    try:
        return sql.ask(dsn, "SELECT 1", seconds=2)
    except psycopg2.Error as error:
        return str(error)


def told(writer, since):
    return sorted({re.sub(r"\s+", " ", error)[:160] for at, error in writer.failures if at > since})


def test_clients_of_pgbouncer_follow_the_primary(link, pooler):
    assert sql.ask(pooler(), "SELECT pg_is_in_recovery()") == [(False,)]
    assert sql.ask(pooler(dbname="shop_ro"), "SELECT pg_is_in_recovery()") == [(True,)]
    with pytest.raises(Exception, match="authentication failed|password"):
        sql.ask(pooler(password="wrong"), "SELECT 1")
    config = link.target.kubectl("-n", "shop", "get", "configmap,deployment", "orders-pooler", "-o", "yaml").stdout
    assert link.owner()[1] not in config, "the password lies in an object that is no Secret"
    with Trial(link, "pooler") as trial:
        through = Writer(pooler(), f"pooler-through-{time.time_ns()}")
        through.start()
        try:
            through.wait_for(50)
            for what, change in (("kill -9", kill), ("switchover", switch)):
                trial.wait_quiet()
                moment = change(link, trial)
                link.wait_healthy(120)
                through.wait_for(50)
                pause, beside = through.longest_pause(moment), trial.writer.longest_pause(moment)
                print(f"  {what}: no write through PgBouncer for {1000 * pause:.0f} ms, without it {1000 * beside:.0f} ms; it said {told(through, moment)}", flush=True)
                figures.record(f"PgBouncer, {what}: no writes", round(1000 * pause), "ms", "< 8000")
                assert figures.holds(1000 * pause, 8000), f"{what}: no write through PgBouncer for {pause:.1f} s"
        finally:
            through.stop()
        assert not through.missing(pooler()), "acknowledged through PgBouncer, and not there"


def kill(link, trial):
    old, moment = trial.kill_postmaster()
    link.wait_primary([name for name in link.endpoint_names() if name != old])
    return moment


def switch(link, _trial):
    moment = time.monotonic()
    link.change_policy({"spec": {"desiredPrimary": link.replicas()[0]}})
    try:
        link.wait_primary([link.policy()["spec"]["desiredPrimary"]])
    finally:
        link.change_policy({"spec": {"desiredPrimary": ""}})
    return moment
