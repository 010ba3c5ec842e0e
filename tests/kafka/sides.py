"""Sides of a link that are no plaintext brokers of today, for worker_run: behind TLS and SASL, and older sources.

Secured: the source takes TLS and SCRAM-SHA-512, the target asks for a client's certificate as well, and for SCRAM-SHA-256. Records are carried
while a password and a client's certificate are rotated, and the witness, which signs in as the link does, finds each once. What a broker refuses,
and what the worker refuses of a broker, is told of that side, and no secret is in what is told. Old: 3.9.1 and 3.5.1 carried into a 4.1.1, their
groups too.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import groups

PATIENCE = groups.PATIENCE


class Brokers:
    """Clusters, each with what `cluster up` is given; two at a time, so one pair after another."""
    def __init__(self, cluster, of, keep=False):
        self.cluster, self.of, self.keep = cluster, of, keep

    def __enter__(self):
        for name, more in self.of.items():
            self.cluster("up", name, *more)

    def __exit__(self, *_):
        for name in () if self.keep else self.of:
            self.cluster("down", name)


def data_of(run, name):
    home = run.kafka_run.ENVIRONMENT["KAFKA_HOME"]
    return pathlib.Path(os.environ.get("KAFKA_DATA", home + "/clusters")) / name


def put(file, text):
    """As a mounted Secret changes: at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.replace(file)


class Side:
    """One endpoint's Secrets, as mounted for the worker: taken from what the cluster made, and changed by the test."""
    def __init__(self, cluster, mounts):
        self.cluster, self.mounts = cluster, mounts
        shutil.copytree(cluster / "client", mounts)
        (mounts / "ca.key").unlink()
        self.password = (cluster / "client/sasl/password").read_text()

    def give(self, **files):
        """By the last part of their names: ca_crt, tls_crt, tls_key, username, password; none: what the cluster made."""
        where = {"ca_crt": "ca/ca.crt", "tls_crt": "tls/tls.crt", "tls_key": "tls/tls.key", "username": "sasl/username", "password": "sasl/password"}
        for name, file in where.items():
            put(self.mounts / file, files.get(name, (self.cluster / "client" / file).read_text()))

    def of_stranger(self, file):
        return (self.cluster / "stranger" / file).read_text()

    def client(self, mechanism):
        """What librdkafka needs, with the files that the cluster made."""
        made = self.cluster / "client"
        return {"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism, "sasl.username": "carrier", "sasl.password": self.password,
                "ssl.ca.location": str(made / "ca/ca.crt"), "ssl.certificate.location": str(made / "tls/tls.crt"), "ssl.key.location": str(made / "tls/tls.key")}


def spec_of(run, link, patterns, **sides):
    """`sides`: source and target, each what it has beside its name."""
    def endpoint(name, port, **more):
        return {"name": name, "kafka": {"brokers": [f"{run.HOST}:{port}"], "maxRetries": 1, **more}}
    return {"engine": "Kafka", "source": endpoint(link + "-west", run.SOURCE, **sides.get("source", {})),
            "targets": [endpoint(link + "-east", run.TARGET, **sides.get("target", {}))],
            "kafka": {"topics": {"include": patterns}, "checkpointIntervalMilliseconds": 200}}


def carry(run, test, link, spec, shift, meanwhile, mounts="kafka"):
    """A link under load whose worker is killed once: the witness finds each record once and in order. Returns the records carried."""
    for topic, partitions in (("orders", 2), ("users", 1)):
        test.create(f"{link}.{topic}", partitions)
    uid = test.pod(link + "-kafka-0")
    test.make(link, spec)
    workers = [run.Worker(test.folder, uid, shift, link, mounts)]
    writer = threading.Thread(target=test.write)
    writer.start()
    try:
        run.wait(f"the worker of {link} is ready", workers[-1].ready)
        time.sleep(0.5 + test.random.random())
        workers[-1].kill()
        workers.append(run.Worker(test.folder, uid, shift, link, mounts))
        run.wait("it is ready again", workers[-1].ready)
        meanwhile(workers[-1])
        test.over.set()
        writer.join()
        test.caught_up(workers[-1])
        total = test.compare()
        said = json.dumps(workers[-1].status()) + workers[-1].health("/metrics")[1]
        assert workers[-1].kill(15) == 0, "it did not end as it was asked to"
    finally:
        test.over.set()
        writer.join()
        for one in workers:
            if one.process.poll() is None:
                one.process.kill()
    return total, said


def goes_on(run, test, worker, what):
    """More records are at the target, so that it is not only said."""
    place = test.kafka.TopicPartition(next(iter(test.topics)), 0)
    consumer = test.kafka.Consumer({**test.clients[run.TARGET], "group.id": "witness"})
    before = consumer.get_watermark_offsets(place, timeout=20)[1]
    run.wait(what, lambda: worker.target()["state"] in ("Streaming", "CatchingUp") and consumer.get_watermark_offsets(place, timeout=20)[1] > before + 10)
    consumer.close()


def another(side, folder):
    """Another certificate and key of the client's, by the same authority."""
    folder.mkdir()
    made = side.cluster / "client"
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=another", "-keyout", folder / "key",
                    "-out", folder / "csr"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", folder / "csr", "-CA", made / "ca/ca.crt", "-CAkey", made / "ca.key", "-CAcreateserial", "-days", "2",
                    "-out", folder / "crt"], check=True, capture_output=True)
    return {"tls_crt": (folder / "crt").read_text(), "tls_key": (folder / "key").read_text()}


def signed_again(admins, kafka, password, mechanism):
    """The broker's part of a rotated password, by its listener for whom looks after it."""
    which = {"SCRAM-SHA-256": kafka.admin.ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": kafka.admin.ScramMechanism.SCRAM_SHA_512}[mechanism]
    new = kafka.admin.UserScramCredentialUpsertion("carrier", kafka.admin.ScramCredentialInfo(which, 4096), password.encode())
    for future in admins.alter_user_scram_credentials([new]).values():
        future.result(20)


def row_of(worker, at, pattern):
    """That side is told as away, for this reason, and the other one is not blamed."""
    rows = worker.status()["details"]["endpoints"]
    row, other = rows[at], rows[1 - at]
    if row["state"] != "Disconnected" or not re.search(pattern, row["message"]):
        raise KeyError(f"not yet: {row}")
    assert other["state"] != "Disconnected", rows
    return row


WRONG = "wrong-9c1f"
PAIR = {"tls_crt": "tls/tls.crt", "tls_key": "tls/tls.key"}
CA = {"caSecretRef": {"name": "authority"}}
TLS = {**CA, "secretRef": {"name": "client"}}


def sasl(mechanism):
    return {"mechanism": mechanism, "secretRef": {"name": "carrier"}}


def refusals(run, west, east):
    """What is wrong, whose side tells it, how the side differs, what its Secrets hold, and the words."""
    source, target = {"tls": CA, "sasl": sasl("SCRAM-SHA-512")}, {"tls": TLS, "sasl": sasl("SCRAM-SHA-256")}
    open_to_all = [f"{run.HOST}:{run.SOURCE + 20}"]
    failed = "SASL {}: SASL_AUTHENTICATION_FAILED"
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        yield f"a wrong password, {mechanism}", 0, {**source, "sasl": sasl(mechanism)}, {"password": WRONG}, failed.format(mechanism)
    yield "an unknown user", 0, source, {"username": "nobody"}, failed.format("SCRAM-SHA-512")
    yield "another authority", 0, source, {"ca_crt": west.of_stranger("ca/ca.crt")}, "TLS handshake: certificate verify failed: unable to get local issuer"
    yield "an authority that is none", 0, source, {"ca_crt": "nothing"}, "CA certificates: no PEM certificate found"
    yield "a certificate of another name", 0, {**source, "brokers": [f"{run.ALIAS}:{run.SOURCE}"]}, {}, "TLS handshake: certificate verify failed: hostname mismatch"
    # Brokers hang up on these without a word.
    yield "no TLS where the broker wants it", 0, {"sasl": sasl("SCRAM-SHA-512")}, {}, "speaks TLS|nobody asked for"
    yield "no SASL where the broker wants it", 0, {"tls": CA}, {}, "connection closed"
    yield "TLS where the broker has none", 0, {"tls": CA, "brokers": open_to_all}, {}, "TLS"
    yield "SASL where the broker has none", 0, {"sasl": sasl("SCRAM-SHA-512"), "brokers": open_to_all}, {}, "SASL SCRAM-SHA-512: "
    # By TLS 1.3 a client hears only after its handshake that its certificate was not taken.
    yield "a client's certificate of another authority", 1, target, {key: east.of_stranger(file) for key, file in PAIR.items()}, "TLS: .*certificate"
    yield "no client's certificate", 1, {**target, "tls": CA}, {}, "TLS: .*certificate"
    yield "a client's certificate that is none", 1, target, {"tls_crt": "nothing"}, "TLS certificate: not a PEM certificate"
    yield "a key of another certificate", 1, target, {"tls_key": east.of_stranger("tls/tls.key")}, "TLS key: not a PEM private key of the certificate"


def refused(run, test, west, east):
    """Each wrong thing in turn, at one worker; then all is right, by PLAIN."""
    link, told = "barred", []
    test.topics = {}
    test.create("barred.orders", 1)
    producer = test.kafka.Producer(test.clients[run.SOURCE])
    producer.produce("barred.orders", b"one", b"key")
    producer.flush()
    uid = test.pod(link + "-kafka-0")
    right = {"source": {"tls": CA, "sasl": sasl("PLAIN")}, "target": {"tls": TLS, "sasl": sasl("SCRAM-SHA-512")}}
    worker, here = None, [Side(side.cluster, test.folder / f"secured/{link}-{name}") for side, name in ((west, "west"), (east, "east"))]
    try:
        for number, (what, at, side, files, pattern) in enumerate(refusals(run, west, east)):
            here[at].give(**files)
            here[1 - at].give()
            sides = {**right, ("source", "target")[at]: side}
            if worker:
                sides["source"] = {"tls": None, "sasl": None, **sides["source"]}  # a merge leaves what is not told
            spec = spec_of(run, link, ["barred.*"], **sides)
            test.accept(link, spec, number + 1) if worker else test.make(link, spec)
            worker = worker or run.Worker(test.folder, uid, 4, link, "secured")
            row = run.wait(f"{what} is told", lambda: row_of(worker, at, pattern), 15)
            assert worker.health("/readyz")[0] == 503, what
            told.append(f"{what}: {row['name']}: {row['message']}")
        for one in here:
            one.give()
        test.accept(link, spec_of(run, link, ["barred.*"], **right), 99)
        run.wait("it goes on once all is right", lambda: worker.ready() and worker.target()["state"] == "Streaming")
        run.wait("the record came", lambda: "barred.orders" in test.at(run.TARGET) and test.read(run.TARGET, "barred.orders", 0) == test.read(run.SOURCE, "barred.orders", 0))
        assert worker.kill(15) == 0
    finally:
        if worker and worker.process.poll() is None:
            worker.process.kill()
    return told


def secured(run, kafka, folder, options):
    log = run.ROOT / "build/kafka-worker.log"
    begin = log.stat().st_size if log.exists() else 0
    more = [f"connections.max.reauth.ms={options.session_ms}"] if options.session_ms else []
    with run.brokers(("--tls", "--sasl", *more), ("--mutual", "--sasl", *more), options.keep):
        west, east = (Side(data_of(run, "worker-" + name), folder / f"secured/sealed-{which}") for name, which in (("source", "west"), ("target", "east")))
        clients = {run.SOURCE: west.client("SCRAM-SHA-256"), run.TARGET: east.client("SCRAM-SHA-512")}
        test = run.Test(kafka, folder, options.seed, clients)
        keeper = kafka.admin.AdminClient({"bootstrap.servers": f"{run.HOST}:{run.SOURCE + 20}"})
        new = "rotated-" + os.urandom(6).hex()

        def rotated(worker):
            """A password, in the Secret before the broker has it; then the client's certificate, of the same authority."""
            west.give(password=new)
            run.wait("the password that the broker does not have yet is told", lambda: row_of(worker, 0, "SASL SCRAM-SHA-512: SASL_AUTHENTICATION_FAILED"))
            signed_again(keeper, kafka, new, "SCRAM-SHA-512")
            goes_on(run, test, worker, "it goes on by the new password")
            east.give(tls_crt="nothing")  # so that it is seen to be read again
            run.wait("the certificate that is none is told", lambda: row_of(worker, 1, "not a PEM certificate"))
            east.give(**another(east, folder / "another"))
            goes_on(run, test, worker, "it goes on by another certificate")

        spec = spec_of(run, "sealed", ["sealed.*"], source={"tls": CA, "sasl": sasl("SCRAM-SHA-512")}, target={"tls": TLS, "sasl": sasl("SCRAM-SHA-256")})
        total, said = carry(run, test, "sealed", spec, 4, rotated, "secured")
        print(f"behind TLS and SCRAM: {total} records, each read once and in order, over a kill, a password that was rotated and a client's certificate", flush=True)
        signed_again(keeper, kafka, west.password, "SCRAM-SHA-512")
        told = [] if options.session_ms else refused(run, run.Test(kafka, folder, options.seed, clients), west, east)
        text = said + "\n".join(told) + log.read_bytes()[begin:].decode()
        keys = re.findall(r"[A-Za-z0-9+/=]{40,}", "".join((side.cluster / "client/tls/tls.key").read_text() for side in (west, east)))
        for secret in (west.password, east.password, new, WRONG, "PRIVATE KEY", *keys):
            assert secret not in text, "a secret was told"
    if told:
        print(f"{len(told)} refusals, each told of its side and without a secret; carried on once it was put right", *told, sep="\n  ", flush=True)


def old(run, kafka, folder, options):
    """Sources that are still about. Groups come with transactions and a filter; in a run of everything of the oldest alone, and in brief."""
    brief = options.only != "old"
    for version in run.kafka_run.OLD:
        with run.brokers(source=("--version", version), keep=options.keep):
            test = run.Test(kafka, folder, options.seed)
            link = "v" + version.replace(".", "-")
            total, _ = carry(run, test, link, spec_of(run, link, [link + ".*"]), 4, lambda worker: time.sleep(0.5))
            print(f"from {version}: {total} records, each read once and in order, over a kill", flush=True)
            if brief and version != run.kafka_run.OLD[-1]:
                continue
            if any(one["metadata"]["name"] == groups.LINK for one in run.api("GET", run.LINKS)["items"]):
                run.api("DELETE", f"{run.LINKS}/{groups.LINK}")
            groups.run(test, lambda uid: run.Worker(folder, uid, 3, groups.LINK), run.wait, test.spec(), run.SOURCE, run.TARGET, brief)
