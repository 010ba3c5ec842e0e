"""What people change on a link: parameters, certificates, replicas, pause, and its end."""
import shlex
import subprocess
import time
import urllib.request

import pytest

import figures
import processes
import prober
import sql
from link import Link, condition
from target import ROOT
from trial import Trial
from waiting import until, within


def one_replica(documents):
    link = documents["ReplicationLink"]
    del link["spec"]["targets"][1]


@pytest.fixture(scope="module")
def changing(target):
    link = Link(target, "changes", "examples/postgres-volumes.yaml" if "volumes" in target.has else "examples/postgres.yaml", one_replica)
    link.apply()
    link.wait_healthy(90)
    yield link
    link.remove()


def shown(link, parameter):
    return {name: sql.ask(link.instance_dsn(name), f"SHOW {parameter}")[0][0] for name in link.endpoint_names()}


def wait_shown(link, parameter, value, seconds):
    def everywhere():
        try:
            now = shown(link, parameter)
        except Exception as error:  # an instance that restarts refuses for a moment
            return str(error)
        return set(now.values()) == {value} or f"{now}"
    return within(f"{parameter} = {value} on every instance", everywhere, seconds, every=0.2)


def test_a_parameter_is_reloaded_without_a_restart(changing):
    began = {name: sql.ask(changing.instance_dsn(name), "SELECT pg_postmaster_start_time()")[0][0] for name in changing.endpoint_names()}
    changing.change(changing.with_parameters({"work_mem": "8MB"}))
    figures.record("parameter reloaded everywhere", wait_shown(changing, "work_mem", "8MB", 90), "s")
    changing.wait_healthy(90)
    after = {name: sql.ask(changing.instance_dsn(name), "SELECT pg_postmaster_start_time()")[0][0] for name in changing.endpoint_names()}
    assert after == began, "an instance was restarted for a parameter that a reload applies"


def test_a_parameter_that_needs_a_restart_is_rolled_out(changing):
    wanted = str(int(shown(changing, "max_connections")[changing.primary()]) + 20)
    with Trial(changing, "restart") as trial:
        changing.change(changing.with_parameters({"max_connections": wanted}))
        figures.record("parameter with restart, everywhere", wait_shown(changing, "max_connections", wanted, 180), "s")
        changing.wait_healthy(180)
        trial.writer.wait_for(20)
        figures.record("parameter with restart: writes paused", 1000 * trial.writer.longest_pause(0), "ms")


def logs_in(link, endpoint, user, password):
    """"in", or what PostgreSQL says."""
    try:
        sql.ask(sql.dsn(link.pod(endpoint)["status"]["podIP"], user, password, link.database()), "SELECT 1")
        return "in"
    except Exception as error:
        return str(error)


def test_lines_of_pg_hba_are_obeyed_everywhere_and_a_wrong_one_is_named(changing):
    guest = {"name": "guest", "login": True, "passwordSecretRef": {"name": "guest", "key": "password"}}
    changing.target.kubectl("-n", changing.namespace, "create", "secret", "generic", "guest", "--from-literal=password=e2e-guest")
    changing.change({"spec": {"postgres": {"roles": [guest]}}})

    def everywhere(answer):
        def probe():
            now = {name: logs_in(changing, name, "guest", "e2e-guest") for name in changing.endpoint_names()}
            return all(answer in one for one in now.values()) or f"{now}"
        return probe

    until("the guest is let in", everywhere("in"), 90)
    changing.change({"spec": {"postgres": {"hba": ["hostssl all guest all reject"]}}})
    figures.record("line of pg_hba.conf obeyed everywhere", within("the guest is rejected", everywhere("rejects connection"), 60, every=0.2), "s")
    changing.wait_healthy(90)
    changing.change({"spec": {"postgres": {"hba": ["hostssl all guest all scram-sha-256", "hostssl all all 10.0.0.0/33 reject"]}}})

    def named():
        said = condition(changing.object(), "Stalled")
        return (said["reason"] == "HbaNotInForce" and "spec.postgres.hba[1]" in said["message"] and "10.0.0.0/33" in said["message"]) or f"{said}"
    until("the wrong line is named", named, 60)
    assert everywhere("rejects connection")() is True, "a refused edit changed something"
    changing.change({"spec": {"postgres": {"hba": None, "roles": [{"name": "guest", "ensure": "Absent"}]}}})
    changing.wait_healthy(90)


def test_a_query_of_ones_own_becomes_a_metric_of_every_instance(changing):
    sql.ask(changing.service_dsn(), "CREATE TABLE e2e_orders AS SELECT 'open' AS state, 3 AS n")
    queries = [{"name": "e2e", "query": "SELECT state, n FROM e2e_orders", "labels": ["state"], "values": [{"column": "n"}], "intervalSeconds": 5}]

    def metrics(endpoint):
        with urllib.request.urlopen(f"http://{changing.pod(endpoint)['status']['podIP']}:8080/metrics", timeout=10) as answer:
            return answer.read().decode().splitlines()

    def shows(start, end):
        def probe():
            missing = [name for name in changing.endpoint_names() if not any(one.startswith(start) and one.endswith(end) for one in metrics(name))]
            return not missing or f"not at {missing}"
        return probe

    changing.change({"spec": {"postgres": {"metrics": {"queries": queries}}}})
    until("what may not be read fails", shows("twinspan_custom_query_failed{", " 1"), 60)
    until("the role is there", lambda: sql.ask(changing.service_dsn(), "SELECT 1 FROM pg_roles WHERE rolname = 'twinspan_metrics'") or "no role", 60)
    sql.ask(changing.service_dsn(), "GRANT SELECT ON e2e_orders TO twinspan_metrics")
    figures.record("query granted, its metric at every instance", within("the metric", shows("twinspan_custom_e2e_n{", 'state="open"} 3'), 60, every=0.5), "s")
    changing.change({"spec": {"postgres": {"metrics": None}}})

    def gone():
        left = [name for name in changing.endpoint_names() if any("twinspan_custom" in one for one in metrics(name))]
        return not left or f"still at {left}"
    until("its series are gone", gone, 60)
    changing.wait_healthy(90)


def served_certificate(host):
    """The serial number of the certificate that PostgreSQL shows there."""
    shown = subprocess.run(["openssl", "s_client", "-starttls", "postgres", "-connect", f"{host}:5432"], input="", capture_output=True, text=True, timeout=60)
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown.stdout, capture_output=True, text=True, check=True).stdout.strip()


def test_certificates_are_issued_anew_without_an_interruption(changing):
    def served():
        return {name: served_certificate(changing.pod(name)["status"]["podIP"]) for name in changing.endpoint_names()}

    def began():
        return {name: sql.ask(changing.instance_dsn(name), "SELECT pg_postmaster_start_time()")[0][0] for name in changing.endpoint_names()}

    before, started = served(), began()
    with Trial(changing, "certificates") as trial:
        for name in changing.endpoint_names():
            changing.target.kubectl("-n", changing.namespace, "delete", "secret", f"{changing.name}-{name}-tls")
        for name in changing.endpoint_names():
            until(f"the Secret of {name} again", lambda: changing.target.api.get(
                f"/api/v1/namespaces/{changing.namespace}/secrets/{changing.name}-{name}-tls") or "it is missing", 90)
            # kubelet looks at the Secrets of a pod once a minute, and when the pod has changed.
            changing.target.kubectl("-n", changing.namespace, "annotate", "pod", changing.pod_name(name), "e2e/look=now", "--overwrite")

        def anew():
            try:
                now = served()
            except subprocess.SubprocessError as error:
                return str(error)
            return all(now[name] != before[name] for name in before) or f"{now}, before {before}"

        figures.record("certificates deleted, others served by every instance", within("other certificates", anew, 150, every=0.5), "s")
        changing.wait_healthy(90)
        trial.writer.wait_for(20)
        pause = 1000 * trial.writer.longest_pause(0)
        figures.record("certificates issued anew: writes paused", pause, "ms", "< 1000")
    assert figures.holds(pause, 1000), f"writes paused for {pause:.0f} ms"
    assert began() == started, "an instance was restarted for a certificate"


def test_a_replica_is_added_and_removed(changing):
    before = changing.belongings()
    spec = changing.object()["spec"]
    added = {**spec["targets"][0], "name": "west-2"}
    began = time.monotonic()
    changing.change({"spec": {"targets": [*spec["targets"], added]}})
    changing.wait_healthy(270)
    figures.record("replica added, streams", time.monotonic() - began, "s")
    assert changing.endpoints()["west-2"]["state"] == "Streaming"
    slots = "SELECT count(*) FROM pg_stat_replication"
    changing.change({"spec": {"targets": spec["targets"]}})
    # spec.deletionPolicy is Retain: the volume waits for an endpoint of that name.
    kept = f"persistentvolumeclaim/{changing.pod_name('west-2').removesuffix('-0')}-data"
    within("the replica's other objects gone", lambda: set(changing.belongings()) ^ set(before) == {kept} or f"{set(changing.belongings()) ^ set(before)}", 180)
    changing.target.kubectl("-n", changing.namespace, "delete", kept)
    changing.wait_healthy(180)
    assert sorted(changing.endpoints()) == sorted(changing.endpoint_names())


def test_what_is_added_to_pods_is_rolled_out_and_a_refused_pod_goes_back(changing, operator_logs):
    added = {"labels": {"team": "shop"}, "annotations": {"example.com/scrape": "true"}, "env": [{"name": "MALLOC_ARENA_MAX", "value": "2"}]}
    before = {name: pod["metadata"]["uid"] for name, pod in changing.pods().items()}

    def everywhere():
        for name in changing.endpoint_names():
            pod = changing.pod(name)
            if not pod:  # it is being made anew
                return f"{name} has no pod"
            variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
            if pod["metadata"]["labels"].get("team") != "shop" or pod["metadata"]["annotations"].get("example.com/scrape") != "true" or variables.get("MALLOC_ARENA_MAX") != "2":
                return f"{name} is without it"
        return True

    changing.change({"spec": {"postgres": {"managed": {"podTemplate": added}, "serviceAccount": {"annotations": {"example.com/cloud-role": "shop"}}}}})
    try:
        figures.record("labels and variables added to every pod", within("every pod has what was added", everywhere, 240, every=0.5), "s")
        changing.wait_healthy(180)
        account = changing.target.api.get(f"/api/v1/namespaces/{changing.namespace}/serviceaccounts/{changing.name}-worker")
        assert account["metadata"]["annotations"]["example.com/cloud-role"] == "shop"
        now = {name: pod["metadata"]["uid"] for name, pod in changing.pods().items()}
        assert not set(before.values()) & set(now.values()), "a pod was changed without being replaced"

        # Only the cluster knows that there is no such class: the pod that tries it is refused, and the link goes back.
        generation = changing.object()["status"]["accepted"]["generation"]
        with operator_logs.denied():
            changing.change({"spec": {"postgres": {"managed": {"podTemplate": {"priorityClassName": "there-is-none"}}}}})
            until("the refused pod is told", lambda: (said := condition(changing.object(), "Stalled")).get("reason") == "ObjectRefused" and "there-is-none" in said["message"]
                  and "postgres.managed" in said["message"] or f"Stalled is {said}", 120, every=0.2)
            assert changing.object()["status"]["accepted"]["generation"] == generation, "a pod that can't be made was accepted"
            changing.change({"spec": {"postgres": {"managed": {"podTemplate": {"priorityClassName": None}}}}})
            changing.wait_healthy(240)
    finally:
        changing.change({"spec": {"postgres": {"managed": {"podTemplate": None}, "serviceAccount": None}}})
    within("what was added is gone again", lambda: all((pod := changing.pod(name)) and "team" not in pod["metadata"]["labels"] for name in changing.endpoint_names()) or "still there", 240, every=0.5)
    changing.wait_healthy(180)


def test_a_service_with_a_template_follows_the_primary_and_gives_back_what_is_taken_out(changing):
    def service():
        return changing.target.api.get(f"/api/v1/namespaces/{changing.namespace}/services/{changing.writes}")

    def wait_service(what, holds):
        until(what, lambda: holds(found := service()) or f"{found['metadata']} {found['spec']}", 60, every=0.2)

    def change(template):
        services = changing.policy()["spec"]["services"]
        for one in services:
            one.pop("template", None)
            if template is not None and one["name"] == changing.writes:
                one["template"] = template
        changing.change_policy({"spec": {"services": services}})

    change({"type": "NodePort", "labels": {"team": "shop"}, "annotations": {"example.com/pool": "db"}, "externalTrafficPolicy": "Cluster"})
    wait_service("the Service has its template", lambda one: one["spec"]["type"] == "NodePort" and one["metadata"]["labels"].get("team") == "shop")
    changing.target.kubectl("-n", changing.namespace, "annotate", "service", changing.writes, "example.com/cloud-id=7")
    before = service()
    new = changing.replicas()[0]
    changing.change_policy({"spec": {"desiredPrimary": new}})
    try:
        changing.wait_primary([new])
        changing.wait_healthy(180)
        after = service()
        assert after["spec"]["selector"]["twinspan.dev/endpoint"] == new
        for spec in (before["spec"], after["spec"]):
            del spec["selector"]
        assert after["spec"] == before["spec"], "a failover changes the selector alone"
        version = after["metadata"]["resourceVersion"]
        time.sleep(10)  # what is not written again and again has no event
        assert service()["metadata"]["resourceVersion"] == version, "a Service that is as it should be was written"
        change({"type": "LoadBalancer", "annotations": {"example.com/pool": "db"}})
        wait_service("the Service is a LoadBalancer", lambda one: one["spec"]["type"] == "LoadBalancer" and "team" not in one["metadata"]["labels"])
        change(None)
        wait_service("the Service is as without a template", lambda one: one["spec"]["type"] == "ClusterIP" and "nodePort" not in one["spec"]["ports"][0]
                     and "example.com/pool" not in one["metadata"]["annotations"])
        assert service()["metadata"]["annotations"]["example.com/cloud-id"] == "7", "somebody else's annotation is theirs"
    finally:
        change(None)
        changing.change_policy({"spec": {"desiredPrimary": ""}})
    changing.wait_healthy(120)


@pytest.mark.needs("node")
def test_a_paused_link_is_left_alone(changing):
    changing.change({"spec": {"paused": True}})
    until("the pause is seen", lambda: condition(changing.object(), "Paused").get("status") == "True" or "no condition Paused", 60)
    primary, holder = changing.primary(), changing.lease()["spec"]["leaseTransitions"]
    versions = {name: pod["metadata"]["uid"] for name, pod in changing.pods().items()}
    processes.kill(changing.postmaster(primary))
    # Nothing may happen for longer than a failover or the lease takes: this waits for time, since absence has no event.
    time.sleep(12)
    other = [name for name in changing.endpoint_names() if name != primary][0]
    assert sql.ask(changing.instance_dsn(other), "SELECT pg_is_in_recovery()") == [(True,)], f"{other} was promoted while paused"
    assert changing.lease()["spec"]["leaseTransitions"] == holder, "the epoch grew while paused"
    assert {name: pod["metadata"]["uid"] for name, pod in changing.pods().items()} == versions, "pods were replaced while paused"
    assert processes.postmaster(changing.pod(primary)["metadata"]["uid"]) is None, "PostgreSQL was started again while paused"
    changing.change({"spec": {"paused": False}})
    figures.record("pause ended after a death, healthy", changing.wait_healthy(180), "s")


@pytest.mark.needs("node")
def test_the_trial_in_the_docs_makes_a_failover(changing):
    text = (ROOT / "docs/postgres.md").read_text()
    command = next(line for line in text[text.index("## Trying failover"):].splitlines() if line.startswith("kubectl "))
    primary = changing.primary()
    words = shlex.split(command.replace("orders-east-0", changing.pod_name(primary)).replace("-n shop", f"-n {changing.namespace}"))
    changing.target.kubectl(*words[1:])
    changing.wait_primary([name for name in changing.endpoint_names() if name != primary])
    changing.wait_healthy(180)


def delete(link):
    link.target.kubectl("-n", link.namespace, "delete", "failoverpolicy", link.policy_name)
    link.target.kubectl("-n", link.namespace, "delete", "replicationlink", link.name, "--timeout=60s", seconds=70)


def test_a_deleted_link_leaves_nothing_where_it_says_so(changing):
    assert changing.belongings(), "nothing carries the link's label: the test would prove nothing"
    changing.change({"spec": {"deletionPolicy": "Delete"}})
    secret = f"/api/v1/namespaces/{changing.namespace}/secrets/{changing.name}-owner"
    owned = lambda: "ownerReferences" in changing.target.api.get(secret)["metadata"] or "no owner yet"
    within("the owner's Secret is the link's", owned, 60)
    began = time.monotonic()
    delete(changing)
    gone = lambda: changing.belongings() == [] or f"left: {changing.belongings()}"
    within("nothing is left of the link", gone, 180)
    figures.record("link deleted, nothing left", time.monotonic() - began, "s")


@pytest.mark.needs("volumes")
def test_a_deleted_link_keeps_its_data_and_one_applied_again_finds_them(target):
    link = Link(target, "keeping", edit=one_replica)
    try:
        link.apply()
        link.wait_healthy(90)
        sql.ask(link.service_dsn(), "CREATE TABLE kept AS SELECT 42 AS answer")
        delete(link)
        kept = [f"persistentvolumeclaim/{link.name}-{name}-data" for name in ("east", "west")] + [f"secret/{link.name}-owner"]
        within("only the data are left", lambda: link.belongings() == kept or f"{link.belongings()}", 60)
        link.apply()
        link.wait_healthy(90)
        assert sql.ask(link.service_dsn(), "SELECT answer FROM kept") == [(42,)]
    finally:
        link.remove()
