"""The operator alone, with 1,000 and 10,000 links, on a real etcd and kube-apiserver. Workers are pretended.

In a variant every link has a FailoverPolicy too.
"""
import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time

import figures
import machinery

NAMESPACE = "bench"
PATH = f"/apis/twinspan.dev/v1alpha1/namespaces/{NAMESPACE}/replicationlinks"
POLICIES = PATH.replace("replicationlinks", "failoverpolicies")
MERGE = "application/merge-patch+json"
SPEC_BYTES = 1024
CONTROLLER_RUNTIME = {  # 0.25, 10,000 objects of 1 KB, the same kind of machine
    "cold": {"seconds": [38, 48], "cpuSeconds": 12, "peakMiB": 195},
    "warm": {"seconds": 3.1, "cpuSeconds": 2.7, "peakMiB": 247},
    "changeMilliseconds": {"median": 13, "p99": 30},
}


def link(number):
    """A link of three endpoints whose spec is SPEC_BYTES long, padded with parameters of PostgreSQL."""
    def endpoint(name, upstream=None):
        out = {"name": name, "postgres": {"managed": {"version": 15, "storage": {"size": "10Gi"},
               "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
               "parameters": {"max_connections": "200", "work_mem": "4MB"}}}}
        if upstream:
            out["from"] = upstream
        return out

    spec = {"engine": "Postgres", "topology": "ActivePassive", "source": endpoint("east"),
            "targets": [endpoint("west", "east"), endpoint("west-2", "east")],
            "postgres": {"database": "shop", "durability": {"mode": "Sync", "replicas": 1}, "diverged": "Rewind"}}
    parameters = spec["source"]["postgres"]["managed"]["parameters"]
    padding = iter(["effective_cache_size", "maintenance_work_mem", "random_page_cost", "statement_timeout",
                    "autovacuum_naptime", "log_min_duration_statement", "default_statistics_target", "temp_buffers",
                    "deadlock_timeout", "checkpoint_timeout", "idle_in_transaction_session_timeout", "seq_page_cost"])
    values = {"effective_cache_size": "512MB", "maintenance_work_mem": "64MB", "random_page_cost": "1.1",
              "seq_page_cost": "1.0", "default_statistics_target": "100", "temp_buffers": "8MB"}
    for name in padding:
        if len(json.dumps(spec, separators=(",", ":"))) >= SPEC_BYTES:
            break
        parameters[name] = values.get(name, "60s")
    return {"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
            "metadata": {"name": f"link-{number:05d}", "namespace": NAMESPACE}, "spec": spec}


def policy(number):
    return {"apiVersion": "twinspan.dev/v1alpha1", "kind": "FailoverPolicy",
            "metadata": {"name": f"link-{number:05d}", "namespace": NAMESPACE},
            "spec": {"linkRef": {"name": f"link-{number:05d}"}, "mode": "Automatic"}}


def in_parallel(server, jobs, threads=6):
    """Runs job(connection) for each, on connections that are kept."""
    todo = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    failures = []

    def work():
        connection = server.connect()
        try:
            while not failures:
                todo.get_nowait()(connection)
        except queue.Empty:
            pass
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def install_crds(source, connection):
    import yaml  # Debian's python3-yaml
    for file in sorted(os.listdir(os.path.join(source, "crds"))):
        if file.endswith(".yaml"):
            with open(os.path.join(source, "crds", file)) as text:
                machinery.call(connection, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                               yaml.safe_load(text))
    machinery.call(connection, "POST", "/api/v1/namespaces",
                   {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for _ in range(300):
        try:
            return machinery.call(connection, "GET", PATH + "?limit=1")
        except RuntimeError:
            time.sleep(0.1)
    raise RuntimeError("the API server does not serve replicationlinks")


def is_right(item):
    """Whether a status says all that a link whose workers stream must say."""
    status = item.get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    return (status.get("observedGeneration") == item["metadata"]["generation"] and
            conditions.get("Ready", {}).get("status") == "True" and status.get("primary") == "east" and
            len(status.get("endpoints", [])) == 3 and status.get("replicas") == "2/2")


def right_links(server):
    # A new connection each time: the API server closes those that were idle for long.
    return sum(is_right(item) for item in machinery.call(server.connect(timeout=300), "GET", PATH)["items"])


def right_policies(server):
    return sum(item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
               for item in machinery.call(server.connect(timeout=300), "GET", POLICIES)["items"])


def without_status(server, count, paths):
    """As if no operator had ever run."""
    in_parallel(server, [lambda one, at=f"{path}/link-{n:05d}/status": machinery.call(one, "PATCH", at, {"status": None}, MERGE)
                         for path in paths for n in range(count)])


def listed_alone(server):
    """Seconds until the API server has sent all links, from its cache, to a client that throws them away."""
    connection = server.connect(timeout=300)
    began = time.monotonic()
    connection.request("GET", PATH + "?resourceVersion=0", headers={"Accept": "application/json"})
    answer = connection.getresponse()
    size = 0
    while chunk := answer.read(1 << 16):
        size += len(chunk)
    return round(time.monotonic() - began, 3), size


def version_now(server):
    return machinery.call(server.connect(), "GET", PATH + "?limit=1")["metadata"]["resourceVersion"]


class Phase:
    """What a stretch of time cost the operator and the API server."""

    def __init__(self, server, operator=None):
        self.server, self.operator = server, operator
        self.before = server.cpu_seconds()
        self.cpu_before = operator.process.cpu_seconds() if operator else 0.0
        self.began = time.monotonic()

    def end(self, operator, seconds):
        elapsed = time.monotonic() - self.began
        after = self.server.cpu_seconds()
        spent = {name: round(after[name] - self.before[name], 2) for name in after}
        return {
            "seconds": round(seconds, 3),
            "cpuSeconds": round(operator.process.cpu_seconds() - self.cpu_before, 2),
            "peakMiB": round(operator.process.peak_mib(), 1),
            "residentMiB": round(operator.process.resident_mib(), 1),
            "apiServerCpuSeconds": spent["kube-apiserver"],
            "etcdCpuSeconds": spent["etcd"],
            "serversShareOfMachine": round(sum(spent.values()) / elapsed / len(os.sched_getaffinity(0)), 2),
        }


def cold(server, program, arguments, count, policies=False):
    """Nothing has a status yet; until a watch has seen the right status of every link, and all policies have theirs."""
    watch = machinery.StatusWatch(server, PATH, version_now(server))
    phase = Phase(server)
    operator = machinery.Operator(program, server, arguments)
    try:
        if not watch.wait(lambda seen: len(seen) >= count, 60 + count / 20):
            raise RuntimeError(f"cold start: {len(watch.seen)} of {count} statuses seen")
        seconds = watch.last - operator.started
        if policies:
            seconds = operator.wait(lambda: machinery.writes(operator.metrics()) >= 2 * count, 60 + count / 20, 0.1)
        result = phase.end(operator, seconds)
        watch.stop()
        metrics = operator.metrics()
        result["writes"] = machinery.writes(metrics)
        result["reconciles"] = machinery.reconciles(metrics)
        result["reconcileErrors"] = machinery.reconcile_errors(metrics)
        patches = {kind: sum(value for name, value in metrics.items()
                             if name.startswith(f"rest_client_request_duration_seconds_{kind}{{") and 'verb="PATCH"' in name)
                   for kind in ("sum", "count")}
        result["millisecondsPerStatusPatch"] = round(1000 * patches["sum"] / max(1, patches["count"]), 2)
        result["apiServerCpuMillisecondsPerLink"] = round(1000 * result["apiServerCpuSeconds"] / count, 2)
        result["linksRight"] = right_links(server)
        if result["linksRight"] != count:
            raise RuntimeError(f"cold start: only {result['linksRight']} of {count} statuses are right")
        if policies and (right := right_policies(server)) != count:
            raise RuntimeError(f"cold start: only {right} of {count} policies have a status")
    finally:
        operator.stop()
    return result


def warm(server, program, arguments, count):
    """Every status is right already; until every link was reconciled. Leaves the operator running."""
    phase = Phase(server)
    operator = machinery.Operator(program, server, arguments)
    try:
        synced = operator.wait(operator.ready, 120, 0.005)
        seconds = operator.wait(lambda: machinery.reconciles(operator.metrics()) >= count, 120, 0.01)
        result = phase.end(operator, seconds)
        result["cachesFilledSeconds"] = round(synced, 3)
        time.sleep(1)  # what would still be written
        result["writes"] = machinery.writes(operator.metrics())
        if result["writes"] != 0:
            raise RuntimeError(f"warm start: {result['writes']} writes, where none is needed")
    except BaseException:
        operator.stop()
        raise
    return operator, result


def idle(operator, seconds):
    time.sleep(2)
    before = operator.process.cpu_seconds()
    time.sleep(seconds)
    return {"seconds": seconds, "cpuSeconds": round(operator.process.cpu_seconds() - before, 2),
            "residentMiB": round(operator.process.resident_mib(), 1)}


def busy(server, program, arguments, count, seconds=60):
    """Every worker writes without end, and says so whenever it is asked: what it costs to keep all statuses and metrics true."""
    operator = machinery.Operator(program, server, [*arguments, "--pretend-busy"])
    try:
        operator.wait(operator.ready, 120, 0.05)
        time.sleep(90)  # statuses are written less and less often, in the end every 30 s
        metrics, servers, cpu, began = operator.metrics(), server.cpu_seconds(), operator.process.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        elapsed, after, spent = time.monotonic() - began, operator.metrics(), server.cpu_seconds()
        lag = [value for name, value in operator.metrics(links=True).items() if name.startswith("twinspan_replication_lag_bytes{")]
        return {"seconds": round(elapsed, 1),
                "writesPerSecond": round((machinery.writes(after) - machinery.writes(metrics)) / elapsed, 1),
                "looksPerSecond": round((machinery.reconciles(after) - machinery.reconciles(metrics)) / elapsed, 1),
                "secondsBetweenWritesOfALink": round(count * elapsed / max(1, machinery.writes(after) - machinery.writes(metrics)), 1),
                "cpuShare": round((operator.process.cpu_seconds() - cpu) / elapsed, 2),
                "serversShareOfMachine": round(sum(spent[name] - servers[name] for name in spent) / elapsed / len(os.sched_getaffinity(0)), 2),
                "seriesOfLag": len(lag), "peakMiB": round(operator.process.peak_mib(), 1),
                "reconcileErrors": machinery.reconcile_errors(after)}
    finally:
        operator.stop()


def changes(server, operator, count, how_many):
    """One spec change at a time, from the sending of the PATCH until a watch has seen the status speak of it."""
    watch = machinery.StatusWatch(server, PATH, version_now(server))
    connection = server.connect()
    cpu = operator.process.cpu_seconds()
    from_sent, from_answered = [], []
    base = 4096 + int(time.time()) % 100000 * 10  # another value than any before
    for round_number in range(how_many):
        name = f"link-{(round_number * 37) % count:05d}"
        patch = {"spec": {"source": {"postgres": {"managed": {"parameters": {"work_mem": f"{base + round_number}kB"}}}}}}
        sent = time.monotonic()
        answer = machinery.call(connection, "PATCH", f"{PATH}/{name}", patch, MERGE)
        answered = time.monotonic()
        generation = answer["metadata"]["generation"]
        if not watch.wait(lambda seen, n=name, g=generation: seen.get(n, (0, 0))[0] >= g, 30):
            raise RuntimeError(f"change of {name}: its status never spoke of generation {generation}")
        seen_at = watch.seen[name][1]
        from_sent.append(1000 * (seen_at - sent))
        from_answered.append(1000 * (seen_at - answered))
        time.sleep(0.02)
    watch.stop()
    return {"milliseconds": figures.summary(from_sent, 2), "millisecondsAfterAnswer": figures.summary(from_answered, 2),
            "cpuMillisecondsPerChange": round(1000 * (operator.process.cpu_seconds() - cpu) / how_many, 2)}


def admission(server, program, arguments, count, how_many):
    """One operator that serves the webhooks with all links in its caches, asked as the API server asks: a spec change of a
    link and a new policy, by turns, on one connection. Then the same change through the API server, as a dry run.
    """
    import yaml  # Debian's python3-yaml
    port = machinery.free_port()
    clear = [f"/apis/admissionregistration.k8s.io/v1/{kind}/twinspan"
             for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")]
    connection = server.connect()
    without = dry_runs(connection, count, how_many)
    with open(os.path.join(server.source, "tests/webhooks/configurations.yaml")) as file:
        for one in yaml.safe_load_all(file.read().replace("PORT", str(port))):
            machinery.call(connection, "POST", f"/apis/{one['apiVersion']}/{one['kind'].lower()}s", one)
    operator = machinery.Operator(program, server, [
        *arguments, "--webhook-address", f"127.0.0.1:{port}", "--webhook-namespace", NAMESPACE, "--webhook-configuration", "twinspan"])
    try:
        operator.wait(operator.ready, 120, 0.05)
        time.sleep(3)
        trusted = machinery.call(connection, "GET", clear[0])["webhooks"][0]["clientConfig"]["caBundle"]
        webhook = machinery.tls_connection("localhost", port, base64.b64decode(trusted).decode())
        cpu = operator.process.cpu_seconds()
        taken = [reviewed(webhook, number) for number in range(how_many)]
        cpu = 1000 * (operator.process.cpu_seconds() - cpu) / how_many
        return {"milliseconds": figures.summary(taken, 2), "cpuMillisecondsPerReview": round(cpu, 2),
                "dryRunMilliseconds": figures.summary(dry_runs(connection, count, how_many), 2),
                "dryRunMillisecondsWithout": figures.summary(without, 2)}
    finally:
        operator.stop()
        for path in clear:
            machinery.call(server.connect(), "DELETE", path)


def dry_runs(connection, count, how_many):
    out = []
    for number in range(how_many):
        patch = {"spec": {"source": {"postgres": {"managed": {"parameters": {"work_mem": f"{1024 + number}kB"}}}}}}
        began = time.monotonic()
        machinery.call(connection, "PATCH", f"{PATH}/link-{number * 37 % count:05d}?dryRun=All", patch, MERGE)
        out.append(1000 * (time.monotonic() - began))
    return out


def reviewed(webhook, number):
    """Milliseconds of one admission review, which must be allowed."""
    new = link(number) if number % 2 == 0 else policy(number)
    resource = {"group": "twinspan.dev", "version": "v1alpha1", "resource": new["kind"].lower().replace("policy", "policie") + "s"}
    request = {"uid": f"bench-{number}", "kind": {"group": "twinspan.dev", "version": "v1alpha1", "kind": new["kind"]},
               "resource": resource, "operation": "CREATE", "namespace": NAMESPACE, "name": new["metadata"]["name"],
               "userInfo": {"username": "bench"}, "object": new, "dryRun": True}
    if number % 2 == 0:
        old = link(number)
        new["spec"]["source"]["postgres"]["managed"]["parameters"]["work_mem"] = "8MB"
        request |= {"operation": "UPDATE", "oldObject": old}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    began = time.monotonic()
    answer = machinery.call(webhook, "POST", "/validate", body)
    taken = 1000 * (time.monotonic() - began)
    if not answer["response"]["allowed"]:
        raise RuntimeError(f"admission of {new['metadata']['name']}: {answer['response']}")
    return taken


def scrape(operator):
    """What one full scrape of /metrics costs: the links' own metrics are many."""
    before, began = operator.process.cpu_seconds(), time.monotonic()
    size = operator.scrape_bytes()
    return {"seconds": round(time.monotonic() - began, 3), "bytes": size,
            "cpuSeconds": round(operator.process.cpu_seconds() - before, 2),
            "residentMiBAfter": round(operator.process.resident_mib(), 1)}


def starts(server, program, options, count, policies):
    """Cold starts, then warm ones; the last operator is left running."""
    colds, warms = [], []
    for turn in range(options.repeats):
        if turn > 0:
            without_status(server, count, [PATH, POLICIES] if policies else [PATH])
            time.sleep(3)
        colds.append(cold(server, program, options.operator_argument, count, policies))
        print(f"  cold {colds[-1]['seconds']} s", flush=True)
    operator = None
    for _ in range(options.repeats):
        if operator:
            operator.stop()
        time.sleep(3)
        operator, one = warm(server, program, options.operator_argument, count)
        warms.append(one)
        print(f"  warm {one['seconds']} s", flush=True)
    return operator, figures.middle(colds, "seconds"), figures.middle(warms, "seconds")


def measure(source, options, count, policies):
    program = os.path.join(options.bin, "twinspan-operator")
    print(f"operator: {count} links" + (", each with a policy" if policies else ""), flush=True)
    server = machinery.ApiServer(source, options.port)
    try:
        install_crds(source, server.connect())
        began = time.monotonic()
        in_parallel(server, [lambda one, n=n: machinery.call(one, "POST", PATH, link(n)) for n in range(count)])
        if policies:
            in_parallel(server, [lambda one, n=n: machinery.call(one, "POST", POLICIES, policy(n)) for n in range(count)])
        print(f"  {count} links created in {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(3)
        result = {"links": count, "policies": count if policies else 0, "specBytes": len(json.dumps(link(0)["spec"], separators=(",", ":")))}
        operator, result["cold"], result["warm"] = starts(server, program, options, count, policies)
        try:
            result["warm"]["listAloneSeconds"], result["warm"]["listBytes"] = listed_alone(server)
            result["idle"] = idle(operator, options.idle)
            result["change"] = changes(server, operator, count, options.changes)
            result["scrape"] = scrape(operator)
        finally:
            operator.stop()
        if not policies:  # the policies that are reviewed are new ones
            result["busy"] = busy(server, program, options.operator_argument, count)
            result["admission"] = admission(server, program, options.operator_argument, count, options.changes)
        return result
    finally:
        if options.keep:
            print(f"  left running: {server.kubeconfig}")
        else:
            server.stop()


def judge(result):
    """Against the targets: a third of controller-runtime's CPU time and memory, warm under 1 s, latency no worse."""
    reference = CONTROLLER_RUNTIME
    targets = {
        "coldCpuSeconds": (result["cold"]["cpuSeconds"], reference["cold"]["cpuSeconds"] / 3),
        "coldPeakMiB": (result["cold"]["peakMiB"], reference["cold"]["peakMiB"] / 3),
        "warmSeconds": (result["warm"]["seconds"], 1.0),
        "warmCpuSeconds": (result["warm"]["cpuSeconds"], reference["warm"]["cpuSeconds"] / 3),
        "warmPeakMiB": (result["warm"]["peakMiB"], reference["warm"]["peakMiB"] / 3),
        "changeMedianMilliseconds": (result["change"]["milliseconds"]["median"], reference["changeMilliseconds"]["median"]),
        "changeP99Milliseconds": (result["change"]["milliseconds"]["p99"], reference["changeMilliseconds"]["p99"]),
        "admissionP99Milliseconds": (result["admission"]["milliseconds"]["p99"], 10.0),
    }
    return {name: {"measured": measured, "target": round(target, 2), "met": measured <= target}
            for name, (measured, target) in targets.items()}


def show(result):
    rows = []
    for phase in ("cold", "warm"):
        one = result[phase]
        rows.append([phase, one["seconds"], one["cpuSeconds"], one["peakMiB"], one["writes"], one["apiServerCpuSeconds"],
                     one["serversShareOfMachine"]])
    rows.append(["idle", result["idle"]["seconds"], result["idle"]["cpuSeconds"], result["idle"]["residentMiB"], "-", "-", "-"])
    figures.table(f"operator, {result['links']} links of {result['specBytes']} bytes, {result['policies']} policies",
                  ["", "seconds", "CPU s", "MiB", "writes", "API server CPU s", "servers' share"], rows)
    figures.table("spec change until its status is seen, milliseconds", figures.SUMMARY_COLUMNS,
                  [figures.summary_row("from sending", result["change"]["milliseconds"]),
                   figures.summary_row("from the answer", result["change"]["millisecondsAfterAnswer"])])
    if "busy" in result:
        one = result["busy"]
        figures.table("every link busy", ["", ""], [[name, value] for name, value in one.items()])
    if "admission" in result:
        one = result["admission"]
        figures.table("admission, milliseconds", figures.SUMMARY_COLUMNS,
                      [figures.summary_row("one review", one["milliseconds"]),
                       figures.summary_row("a dry run through the API server", one["dryRunMilliseconds"]),
                       figures.summary_row("the same without webhooks", one["dryRunMillisecondsWithout"])])
    print(f"  of a warm start the API server takes {result['warm']['listAloneSeconds']} s to list the links to anybody")
    if "targets" in result:
        figures.table("targets", ["", "measured", "target", ""],
                      [[name, one["measured"], one["target"], "met" if one["met"] else "MISSED"]
                       for name, one in result["targets"].items()])


def run(source, options):
    program = os.path.join(options.bin, "twinspan-operator")
    if subprocess.run([program, "--help"], capture_output=True, check=False).returncode != 0:
        sys.exit(f"bench: {program} does not run: make build")
    result = figures.busy(figures.heading(source, program))
    result["what"] = "twinspan-operator alone, on etcd and kube-apiserver 1.34 on the same machine, TLS, loopback"
    result["stubbed"] = ("workers: the operator runs with --pretend-workers, which takes every worker to run and stream. It "
                         "fills all its caches, reconciles every link and writes its status (conditions, three endpoints) as "
                         "always; it creates no pods, secrets or leases and asks no workers. The failover controller runs, but "
                         "finds no leases: it has nothing to decide, and writes a status to policies, where there are any. "
                         "etcd runs with --unsafe-no-fsync. There are no nodes and no other controllers")
    result["meaning"] = {
        "cold": "process start until a watch saw a current status with conditions on every link; none had one before",
        "warm": "process start until caches are filled and every link was reconciled; without a single write",
        "ofRuns": "of every number of all cold or warm starts; the numbers beside it are those of the median run",
        "listAloneSeconds": "the API server's own time for the list a warm start begins with, to a client that throws it away",
        "idle": "after that, nothing changes",
        "busy": "another start, where each worker says other positions and lag whenever it is asked (a millisecond each, sixteen at once); after 90 s",
        "change": "PATCH of one spec sent until a watch saw the status that speaks of it, one at a time",
        "cpuSeconds": "utime + stime of the operator in the phase", "peakMiB": "VmHWM since its start",
        "serversShareOfMachine": "CPU time of kube-apiserver and etcd by the time that all cores had",
        "admission": "with all links in its caches: one AdmissionReview sent until it is answered, on a kept TLS connection; and a "
                     "change of one spec as a dry run through kube-apiserver, with both webhooks and without any",
        "scrape": "one GET /metrics with every link's series",
    }
    result["compare"] = {"controller-runtime 0.25, 10,000 objects": CONTROLLER_RUNTIME}
    result["sizes"] = []
    counts = [int(one) for one in options.links.split(",")]
    variants = [(count, options.policies == "yes") for count in counts]
    if options.policies == "both":
        variants.append((max(counts), True))
    for count, policies in variants:
        one = measure(source, options, count, policies)
        if count == 10000 and not policies:
            one["targets"] = judge(one)
        result["sizes"].append(one)
        show(one)
    figures.write(options.results, "operator", result)
