"""What people and GitOps do around a link: none of it costs data or service."""
import json

import psycopg2
import pytest

import processes
import sql
from link import Link, condition
from trial import Trial
from waiting import until


def small(documents):
    """One replica, and few claims on the machine."""
    link = documents["ReplicationLink"]
    del link["spec"]["targets"][1]
    for endpoint in (link["spec"]["source"], *link["spec"]["targets"]):
        endpoint["postgres"]["managed"]["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}}


def manifest(target):
    return "examples/postgres-volumes.yaml" if "volumes" in target.has else "examples/postgres.yaml"


def wait_writable(link):
    """Until the Service leads to the primary for whoever connects: nodes learn of it a moment after the API server."""
    def leads():
        try:
            return sql.ask(link.service_dsn(), "SELECT pg_is_in_recovery()")[0][0] is False or "it leads to a replica"
        except psycopg2.Error as error:
            return f"{error}"

    until("the Service leads to the primary", leads, 90)


@pytest.fixture
def lived_in(target, request):
    """A link of the test's own."""
    link = Link(target, "people", manifest(target), small)
    link.apply()
    try:
        link.wait_healthy(90)
        wait_writable(link)
        yield link
    finally:
        link.remove()


def count(link):
    return sql.ask(link.service_dsn(), "SELECT count(*) FROM kept")[0][0]


def switch_over(link):
    new = link.replicas()[0]
    link.change_policy({"spec": {"desiredPrimary": new}})
    link.wait_primary([new])
    link.wait_healthy(180)
    wait_writable(link)
    return new


@pytest.mark.needs("node")
def patch_only_tried(link, patch):
    return link.target.kubectl("-n", link.namespace, "patch", "replicationlink", link.name, "--type=merge", "-p", json.dumps(patch),
                               "--dry-run=server", check=False)


def test_a_refused_edit_is_told_and_not_carried_out_and_a_dead_primary_is_replaced(lived_in):
    link = lived_in
    before = {name: sql.ask(link.instance_dsn(name), "SHOW max_connections")[0][0] for name in link.endpoint_names()}
    with Trial(link, "refused-edit") as trial:
        source = link.object()["spec"]["source"]
        source["postgres"]["managed"]["parameters"]["max_connections"] = "300"
        edit = {"spec": {"source": source}}
        if "helm" in link.target.has:  # by the webhook, while one answers
            answer = patch_only_tried(link, edit)
            assert answer.returncode != 0 and "max_connections" in answer.stderr, answer
        link.target.kubectl("label", "namespace", link.namespace, "twinspan.dev/webhook=off")  # as while none does
        until("the API server leaves the webhook out", lambda: patch_only_tried(link, edit).returncode == 0, 90)
        link.change(edit)
        link.target.kubectl("label", "namespace", link.namespace, "twinspan.dev/webhook-")
        until("the edit is refused by name", lambda: "max_connections" in (ready := condition(link.object(), "Ready")).get("message", "")
              and ready["status"] == "False" or f"Ready is {ready}", 90)
        old, moment = trial.kill_postmaster()
        trial.writer.resumed(moment)
        link.wait_primary([name for name in link.endpoint_names() if name != old])
        assert condition(link.object(), "Ready")["status"] == "False", "Ready over a refused edit"
        link.wait_replica(old, 180)
    after = {name: sql.ask(link.instance_dsn(name), "SHOW max_connections")[0][0] for name in link.endpoint_names()}
    assert after == before, "a refused edit was carried out"
    source["postgres"]["managed"]["parameters"]["max_connections"] = "200"
    link.change({"spec": {"source": source}})
    link.wait_healthy(180)


def test_a_lease_deleted_after_a_switchover_costs_neither_the_primary_nor_a_write(lived_in):
    link = lived_in
    primary = switch_over(link)
    with Trial(link, "lease-deleted") as trial:
        epoch = link.lease()["spec"]["leaseTransitions"]
        link.target.kubectl("-n", link.namespace, "delete", "lease", f"{link.name}-primary")
        until("the lease is held again, in a later epoch", lambda: (lease := link.lease()) and lease["spec"].get("holderIdentity")
              and lease["spec"].get("leaseTransitions", 0) > epoch or f"{lease}", 180)
        trial.writer.wait_for(50, 60)
        link.wait_healthy(180)
        assert link.primary() == primary, "another became primary because a Lease was deleted"


def test_a_service_of_somebody_else_is_neither_led_elsewhere_nor_deleted(target):
    link = Link(target, "people", manifest(target), small)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": link.writes, "namespace": link.namespace},
               "spec": {"selector": {"app": "legacy"}, "ports": [{"port": 5432}]}}
    path = f"/api/v1/namespaces/{link.namespace}/services/{link.writes}"
    try:
        target.kubectl("apply", "-f", "-", feed=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": link.namespace}}))
        target.kubectl("apply", "-f", "-", feed=json.dumps(service))
        before = target.api.get(path)
        link.apply()
        told = until("the policy names the Service", lambda: next(
            (one for one in link.policy_status().get("conditions", []) if link.writes in one.get("message", "") and one["status"] == "False"), None)
            or f"{link.policy_status()}", 60)
        print(f"  {told['type']}: {told['message']}", flush=True)
        assert condition(link.policy(), "Ready")["status"] == "False", "Ready without its Service"
        link.prune()
        after = target.api.get(path)
        assert after and after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], f"{before} became {after}"
    finally:
        link.remove()


@pytest.mark.needs("node", "volumes")
def test_a_link_pruned_and_applied_again_goes_on_with_its_last_primary_and_every_row(lived_in):
    link = lived_in
    sql.ask(link.service_dsn(), "CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")
    stale, primary = link.primary(), switch_over(link)
    sql.ask(link.service_dsn(), "SET synchronous_commit = local; INSERT INTO kept SELECT generate_series(101, 200)")
    with processes.Frozen(processes.child_titled(link.postmaster(stale), "walreceiver")):  # its copy ends here
        sql.ask(link.service_dsn(), "SET synchronous_commit = local; INSERT INTO kept SELECT generate_series(201, 300)")
        link.target.kubectl("-n", link.namespace, "delete", "replicationlink,failoverpolicy", "--all", "--wait=false")
        until("the link is gone", lambda: link.object() is None or "it is there", 180)
    link.apply()
    link.wait_healthy(120)
    assert link.primary() == primary, f"{link.primary()} is primary, {primary} was before"
    assert count(link) == 300


def test_a_lone_primary_comes_back_when_its_pod_is_replaced(target):
    link = Link(target, "people", manifest(target), small, policy=False)
    try:
        link.apply()
        link.wait_healthy(90)
        before = link.pod(link.primary())["metadata"]["uid"]
        link.target.kubectl("-n", link.namespace, "delete", "pod", link.pod_name(link.primary()))
        until("another pod in its place", lambda: (pod := link.pod(link.endpoint_names()[0])) and pod["metadata"]["uid"] != before or "not yet", 60)
        link.wait_healthy(90)
    finally:
        link.remove()


def test_a_library_that_is_not_there_stops_nobody_but_the_replica_that_tries_it(lived_in):
    link = lived_in
    began = {name: sql.ask(link.instance_dsn(name), "SELECT pg_postmaster_start_time()")[0][0] for name in link.endpoint_names()}
    with Trial(link, "no-such-library") as trial:
        link.change(link.with_parameters({"shared_preload_libraries": "pg_stat_statments"}))
        told = until("who tried it and went back is told", lambda: (stalled := condition(link.object(), "Stalled")).get("reason") == "ChangeUndone"
                     and stalled or f"Stalled is {stalled}", 90)
        assert "pg_stat_statments" in told["message"], f"PostgreSQL's words are missing: {told['message']}"
        assert condition(link.object(), "Ready")["status"] == "False", "Ready over a change that was undone"
        primary = link.primary()
        after = sql.ask(link.instance_dsn(primary), "SELECT pg_postmaster_start_time()")[0][0]
        assert after == began[primary], "the primary was restarted for it"
        link.change(link.with_parameters({"shared_preload_libraries": None}))
        link.wait_healthy(90)
        trial.writer.wait_for(50)


def test_parameters_whatever_their_spelling_are_in_force_once_the_link_is_ready(lived_in):
    link = lived_in
    link.change(link.with_parameters({"TimeZone": "Europe/Berlin", "log_line_prefix": "%m ", "fsync": "on", "wal_level": "logical", "work_mem": "8MB"}))
    link.wait_healthy(120)
    for name in link.endpoint_names():
        now = {parameter: sql.ask(link.instance_dsn(name), f"SHOW {parameter}")[0][0] for parameter in ("TimeZone", "log_line_prefix", "fsync", "wal_level", "work_mem")}
        assert now == {"TimeZone": "Europe/Berlin", "log_line_prefix": "%m ", "fsync": "on", "wal_level": "logical", "work_mem": "8MB"}, name


def test_an_owner_secret_that_is_named_is_awaited_and_stays_its_writers(target):
    def named(documents):
        small(documents)
        documents["ReplicationLink"]["spec"]["postgres"]["ownerSecretRef"] = {"name": "shop-db"}

    link = Link(target, "people", manifest(target), named)
    path = f"/api/v1/namespaces/{link.namespace}/secrets/shop-db"
    try:
        link.apply()
        until("the link says that it waits for the Secret", lambda: (ready := condition(link.object(), "Ready")).get("reason") == "OwnerSecretMissing"
              and "shop-db" in ready["message"] or f"Ready is {ready}", 60)
        assert target.api.get(path) is None, "it was made in its writer's place"
        target.kubectl("-n", link.namespace, "create", "secret", "generic", "shop-db", "--from-literal=username=appuser", "--from-literal=password=pw1")
        link.wait_healthy(90)
        assert sql.ask(link.service_dsn(), "SELECT current_user")[0][0] == "appuser"
        metadata = target.api.get(path)["metadata"]
        assert not metadata.get("ownerReferences") and not metadata.get("labels"), f"it was taken over: {metadata}"
    finally:
        link.remove()
