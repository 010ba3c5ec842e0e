"""A Kafka link between two real clusters of this machine: every committed record arrives once and in order, also over kills of the worker, and topics and
partitions that come later are followed. A consumer group stands at the target at the record that it would read next at the source. Producers and the witness that compares are librdkafka's, which shares no code with the engine."""
import contextlib
import os
import pathlib
import subprocess
import sys
import time

import pytest
import yaml

import figures
import processes
from target import ROOT
from waiting import until, within

pytestmark = pytest.mark.needs("node")
LINK = "/apis/twinspan.dev/v1alpha1/namespaces/streams/replicationlinks/events"
LIBRARY = pathlib.Path(os.environ.get("TWINSPAN_WITNESS", pathlib.Path.home() / ".cache/twinspan/witness"))
KAFKA_HOME = os.environ.get("KAFKA_HOME", str(pathlib.Path.home() / ".cache/twinspan/kafka"))
PORTS = {"e2e-source": 28092, "e2e-target": 28192}


def witness():
    """librdkafka, once it and the brokers are there."""
    told = {key: value for key, value in os.environ.items() if key != "TWINSPAN_SKIPPED"}  # pytest tells of what it skips
    fetched = subprocess.run([str(ROOT / "tests/kafka/run"), "--fetch"], env=told, capture_output=True, text=True, check=False)
    if fetched.returncode:
        pytest.skip(f"no Kafka here: {(fetched.stdout + fetched.stderr).strip()}")
    sys.path.insert(0, str(LIBRARY))
    import confluent_kafka
    import confluent_kafka.admin
    return confluent_kafka


@contextlib.contextmanager
def brokers(target):
    """Two clusters of one broker each, where the pods reach them."""
    nodes = target.api.items("/api/v1/nodes")  # the sandbox has none: its pods are processes of this machine
    node = next((address["address"] for one in nodes[:1] for address in one["status"]["addresses"] if address["type"] == "InternalIP"), "127.0.0.1")
    environment = {**os.environ, "KAFKA_HOME": KAFKA_HOME, "KAFKA_HEAP": "256m", "KAFKA_HOST": node}

    def cluster(*words):
        done = subprocess.run([str(ROOT / "tests/kafka/cluster"), *map(str, words)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    try:
        for name, port in PORTS.items():
            cluster("up", name, port)
        yield [f"{node}:{port}" for port in PORTS.values()]
    finally:
        for name in PORTS:
            cluster("down", name)


class Topics:
    def __init__(self, kafka, source, target):
        self.kafka, self.source, self.target, self.written = kafka, source, target, 0
        self.admin = kafka.admin.AdminClient({"bootstrap.servers": source})

    def create(self, name, partitions):
        for future in self.admin.create_topics([self.kafka.admin.NewTopic(name, partitions, 1, config={"retention.ms": "-1"})]).values():
            future.result()

    def grow(self, name, partitions):
        for future in self.admin.create_partitions([self.kafka.admin.NewPartitions(name, partitions)]).values():
            future.result()

    def produce(self, topic, partitions, count):
        """Records of which those of every second transaction are aborted, with keys, headers and times of their own."""
        producer = self.kafka.Producer({"bootstrap.servers": self.source, "transactional.id": f"e2e-{topic}", "compression.type": "lz4", "linger.ms": 2})
        producer.init_transactions()
        for begin in range(0, count, 500):
            keeps = begin // 500 % 2 == 0
            producer.begin_transaction()
            for n in range(begin, min(begin + 500, count)):
                self.written += 1
                producer.produce(topic, (b"kept %d" if keeps else b"ABORTED %d") % self.written, b"key %d" % (n % 50) if n % 7 else None, partition=n % partitions,
                                 headers=[("n", b"%d" % n), ("n", b"again"), ("null", None)][:n % 4], timestamp=1700000000000 + n)
            producer.flush()
            producer.commit_transaction() if keeps else producer.abort_transaction()

    def stand(self, group, topic, partition, offset):
        """A consumer's commit at the source."""
        position = self.kafka.ConsumerGroupTopicPartitions(group, [self.kafka.TopicPartition(topic, partition, offset)])
        for future in self.admin.alter_consumer_group_offsets([position]).values():
            assert not any(one.error for one in future.result().topic_partitions)

    def next_of(self, where, group, topic, partition):
        """The record that a group would read next; None while it has no position."""
        admin = self.kafka.admin.AdminClient({"bootstrap.servers": where})  # one that nobody holds on to never answers
        listed = admin.list_consumer_group_offsets([self.kafka.ConsumerGroupTopicPartitions(group)])[group].result(30)
        offset = next((one.offset for one in listed.topic_partitions if (one.topic, one.partition) == (topic, partition)), -1)
        return next(iter(self.read(where, topic, partition, offset)), None) if offset >= 0 else None

    def read(self, where, topic, partition, offset=None):
        consumer = self.kafka.Consumer({"bootstrap.servers": where, "group.id": "witness", "isolation.level": "read_committed", "enable.auto.commit": False,
                                        "enable.partition.eof": True, "check.crcs": True})
        consumer.assign([self.kafka.TopicPartition(topic, partition, self.kafka.OFFSET_BEGINNING if offset is None else offset)])
        rows = []
        while True:
            for message in consumer.consume(1000, 0.5):
                if message.error():
                    consumer.close()
                    # The topic may not be there yet.
                    return rows
                rows.append((message.key(), message.value(), message.headers(), message.timestamp()))

    def same(self, counts):
        """Whether the target has what the source has, once and in order; else what is missing. Anything else is an error at once."""
        for topic, partitions in counts.items():
            for partition in range(partitions):
                there, here = self.read(self.source, topic, partition), self.read(self.target, topic, partition)
                assert there[:len(here)] == here, f"{topic}/{partition}: other records, or in another order: {len(there)} at the source, {len(here)} at the target"
                if len(here) < len(there):
                    return f"{topic}/{partition} has {len(here)} of {len(there)} records"
        return True


def status(target):
    return (target.api.get(LINK) or {}).get("status", {})


def condition(target, kind):
    return next((one for one in status(target).get("conditions", []) if one["type"] == kind), {})


def ready(target, partitions):
    seen, told = status(target), condition(target, "Ready")
    return told.get("status") == "True" and seen.get("kafka", {}).get("partitions") == partitions or f"Ready: {told}; {seen.get('kafka')}"


def test_records_arrive_once_and_in_order_over_kills_and_new_partitions(target):
    kafka = witness()
    with brokers(target) as (source, mirror):
        topics = Topics(kafka, source, mirror)
        topics.create("orders", 2)
        topics.create("not-wanted", 1)
        topics.produce("orders", 2, 4000)
        link = next(yaml.safe_load_all((ROOT / "examples/kafka.yaml").read_text()))
        link["metadata"] = {"name": "events", "namespace": "streams"}
        link["spec"]["source"]["kafka"], link["spec"]["targets"][0]["kafka"] = {"brokers": [source]}, {"brokers": [mirror]}
        link["spec"]["kafka"] = {"topics": {"include": ["orders", "late.*"]}, "groups": {"include": ["billing"]}}
        target.kubectl("create", "namespace", "streams")
        try:
            target.kubectl("apply", "-f", "-", feed=yaml.safe_dump(link))
            took = within("Ready", lambda: ready(target, 2), 180)
            figures.record("Kafka: apply to 2,000 committed records mirrored and Ready", took, "s", "< 60")
            until("every record is there", lambda: topics.same({"orders": 2}), 60)
            topics.stand("billing", "orders", 0, 777)  # among aborted records: offsets differ from there on
            for _ in range(3):
                pods = target.api.items("/api/v1/namespaces/streams/pods?labelSelector=twinspan.dev%2Flink%3Devents")
                pids = [pid for pid in (processes.worker(pod["metadata"]["uid"], "twinspan-kafka-worker") for pod in pods) if pid]
                assert pids, "no worker of the link on this machine"
                topics.produce("orders", 2, 1500)
                for pid in pids:
                    processes.kill(pid)
                topics.produce("orders", 2, 1500)
                until("a worker carries again", lambda: topics.same({"orders": 2}), 120)
            topics.create("late-one", 1)
            topics.grow("orders", 3)
            topics.produce("late-one", 1, 1000)
            topics.produce("orders", 3, 3000)
            took = within("the new topic and the new partition are carried", lambda: topics.same({"orders": 3, "late-one": 1}), 120)
            figures.record("Kafka: a new topic and a new partition carried", took, "s", "< 20")
            until("Ready, and counted", lambda: ready(target, 4), 60)
            told = status(target)
            assert told["primary"] == link["spec"]["source"]["name"] and not told["kafka"].get("troubled"), told
            goes_on = topics.next_of(source, "billing", "orders", 0)
            assert goes_on, "the group has no position at the source"
            until("the group would go on at the same record", lambda: (at := topics.next_of(mirror, "billing", "orders", 0)) == goes_on or f"{at}, not {goes_on}", 60)
            until("GroupsInSync", lambda: condition(target, "GroupsInSync").get("status") == "True" or condition(target, "GroupsInSync"), 60)
            at_target = kafka.admin.AdminClient({"bootstrap.servers": mirror}).list_topics(timeout=10).topics
            assert "not-wanted" not in at_target, sorted(at_target)
            # What stands in the way is told, holds nothing else up, and goes on once a person has mended it.
            for future in topics.admin.delete_records([kafka.TopicPartition("late-one", 0, 900)]).values():
                future.result()
            time.sleep(1)
            topics.produce("late-one", 1, 500)
            until("what comes after a trimmed log is carried", lambda: topics.read(mirror, "late-one", 0)[-1:] == topics.read(source, "late-one", 0)[-1:] or "not yet", 60)
        finally:
            target.kubectl("delete", "namespace", "streams", "--timeout=60s", check=False, seconds=70)
