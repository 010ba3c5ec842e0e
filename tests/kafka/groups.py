"""Consumer groups of a link's worker (KF-6), for worker_run: at the target each stands at the record that it would read next at the source.

The witness reads both topics whole and compares records by key and value; of offsets it knows nothing but where records lie on either side. Offsets
differ: transactions, half of which are aborted, and a filter. 60 groups stand anywhere, at the start and at the end too. One is rewound, one is
consumed at the target and handed back, more records come, and the worker is killed (-9) in between.
"""
import os
import time

LINK = "moves"
TOPICS = {"moves.a": 3, "moves.b": 1}
PLACES = [(topic, partition) for topic, partitions in TOPICS.items() for partition in range(partitions)]
COUNT = 60
PATIENCE = float(os.environ.get("TWINSPAN_PATIENCE", 4))


class Groups:
    def __init__(self, test, source, target):
        self.test, self.kafka, self.random, self.ports = test, test.kafka, test.random, {"source": source, "target": target}
        self.admins = {side: test.admins[port] for side, port in self.ports.items()}
        self.written, self.stand, self.rows = 0, {}, {}
        self.log_ends = {}

    def create(self):
        new = [self.kafka.admin.NewTopic(topic, partitions, 1, config={"retention.ms": "-1"}) for topic, partitions in TOPICS.items()]
        for future in self.admins["source"].create_topics(new).values():
            future.result()
        base = {**self.test.clients[self.ports["source"]], "linger.ms": 2}
        self.plain = self.kafka.Producer(base)
        self.transactional = self.kafka.Producer({**base, "transactional.id": "writer-of-groups"})
        self.transactional.init_transactions()

    def write(self, transactions):
        """Transactions, half of them aborted, with plain records between them; a fifth of all is left out by the link's filter."""
        def some(producer, word, most):
            for _ in range(self.random.randrange(1, most)):
                self.written += 1
                topic, partition = self.random.choice(PLACES)
                left_out = self.random.random() < 0.2
                producer.produce(topic, b"%s %d" % (b"dropped" if left_out else word, self.written), b"key %d" % (self.written % 17), partition=partition)
            producer.flush()
        for number in range(transactions):
            self.transactional.begin_transaction()
            some(self.transactional, b"ABORTED" if number % 2 else b"kept", 30)
            self.transactional.abort_transaction() if number % 2 else self.transactional.commit_transaction()
            some(self.plain, b"plain", 20)

    def read(self, side, place):
        """Committed records with where they lie: [(offset, (key, value))]; and the log's end."""
        consumer = self.kafka.Consumer({**self.test.clients[self.ports[side]], "group.id": "witness", "isolation.level": "read_committed",
                                        "enable.auto.commit": False, "enable.partition.eof": True, "check.crcs": True})
        consumer.assign([self.kafka.TopicPartition(*place, 0)])
        rows = []
        while True:
            for message in consumer.consume(1000, 0.2):
                if message.error():
                    assert message.error().code() == self.kafka.KafkaError._PARTITION_EOF, message.error()
                    end = consumer.get_watermark_offsets(self.kafka.TopicPartition(*place), timeout=10)[1]
                    consumer.close()
                    return rows, end
                rows.append((message.offset(), (message.key(), message.value())))

    def look(self):
        """Both sides whole. What is to be carried must be there, once and in order, or positions can't be compared."""
        for place in PLACES:
            source, self.log_ends[place] = self.read("source", place)
            source = [row for row in source if not row[1][1].startswith(b"dropped")]
            target, _ = self.read("target", place)
            assert [row for _, row in source] == [row for _, row in target], f"{place}: {len(source)} records at the source, {len(target)} at the target"
            self.rows[place] = {"source": source, "target": target}

    def put(self, group, positions, side="source"):
        """What a consumer commits; by an administrator, as the group is empty."""
        offsets = [self.kafka.TopicPartition(*place, offset) for place, offset in positions.items()]
        for future in self.admins[side].alter_consumer_group_offsets([self.kafka.ConsumerGroupTopicPartitions(group, offsets)]).values():
            for one in future.result().topic_partitions:
                assert not one.error, one.error
        if side == "source":
            self.stand.setdefault(group, {}).update(positions)

    def anywhere(self, places=PLACES):
        """At any offset: of a record, of an aborted one, of a marker, of one that is left out, the start, the end."""
        return {place: self.random.choice((0, self.log_ends[place], *(self.random.randrange(self.log_ends[place] + 1) for _ in range(6)))) for place in places}

    def at_target(self, group):
        future = self.admins["target"].list_consumer_group_offsets([self.kafka.ConsumerGroupTopicPartitions(group)])[group]
        return {(one.topic, one.partition): one for one in future.result().topic_partitions if one.offset >= 0}

    def next_of(self, side, place, offset):
        return next((record for at, record in self.rows[place][side] if at >= offset), None)

    def wrong(self, groups):
        found = []
        for group in groups:
            there, here = self.at_target(group), self.stand[group]
            if set(there) != set(here):
                found.append(f"{group} has positions of {sorted(there)} at the target, of {sorted(here)} at the source")
            for place in set(there) & set(here):
                wanted, got = self.next_of("source", place, here[place]), self.next_of("target", place, there[place].offset)
                if wanted != got:
                    found.append(f"{group} {place}: at the source, at {here[place]}, it reads {wanted} next; at the target, at {there[place].offset}, {got}")
                told = f"twinspan {self.test.namespace}.{LINK} {here[place]}"
                if not metadata_of(there[place], told).startswith(told):
                    found.append(f"{group} {place}: the metadata is {there[place].metadata}, not {told}")
        return found

    def until_right(self, what, groups=None):
        end, groups = time.time() + 30 * PATIENCE, list(self.stand) if groups is None else groups
        while found := self.wrong(groups):
            assert time.time() < end, f"{what}: {len(found)} positions are wrong: {found[:4]}"
            time.sleep(0.3)

    def differ(self):
        """How many positions are other numbers at the target: with none of them this would prove nothing."""
        return sum(one.offset != self.stand[group][place] for group in self.stand for place, one in self.at_target(group).items())


def metadata_of(position, otherwise):
    """The binding reads behind the end of what was committed, where anything may lie."""
    try:
        return position.metadata or ""
    except UnicodeDecodeError:
        return otherwise


def consume(groups, group):
    """A member at the target: it goes on where the group stood at the source. Returns what it committed there, once it is seen as Active."""
    here = groups.stand[group]
    consumer = groups.kafka.Consumer({**groups.test.clients[groups.ports["target"]], "group.id": group, "isolation.level": "read_committed",
                                      "enable.auto.commit": False, "auto.offset.reset": "error", "session.timeout.ms": 6000})
    consumer.subscribe(list(TOPICS))
    seen = {}
    end = time.time() + 30 * PATIENCE
    while len(seen) < len(PLACES):
        assert time.time() < end, f"a consumer at the target got records of {sorted(seen)} only"
        for message in consumer.consume(100, 0.2):
            assert not message.error(), message.error()
            seen.setdefault((message.topic(), message.partition()), (message.key(), message.value()))
    for place, record in seen.items():
        assert record == groups.next_of("source", place, here[place]), f"{group} {place}: a consumer that goes on at the target begins with {record}"
    consumer.commit(offsets=[groups.kafka.TopicPartition(*place, groups.rows[place]["target"][-1][0]) for place in PLACES], asynchronous=False)
    return consumer


def stays(groups, group, said, state):
    """Left alone, and told, over several looks, though the source's position is another one all the while."""
    before = {place: one.offset for place, one in groups.at_target(group).items()}
    for _ in range(6):
        groups.put(group, groups.anywhere())
        time.sleep(0.5)
        assert {place: one.offset for place, one in groups.at_target(group).items()} == before, f"{group} is {state}, and was moved"
    assert state in {one["state"] for one in said().get("troubled", []) if one["group"] == group}, said()


def handed_over(groups, said, wait):
    """One that is consumed at the target is left alone, until it is handed back."""
    own = "consumer-2"
    groups.put(own, {place: groups.rows[place]["source"][len(groups.rows[place]["source"]) // 2][0] + 1 for place in PLACES})
    groups.until_right("before it moves over", [own])
    member = consume(groups, own)
    wait("it is told as active", lambda: any((one["group"], one["state"]) == (own, "Active") for one in said().get("troubled", [])))
    stays(groups, own, said, "Active")
    member.close()
    wait("it is told as moved", lambda: any((one["group"], one["state"]) == (own, "Moved") for one in said().get("troubled", [])))
    stays(groups, own, said, "Moved")
    for future in groups.admins["target"].delete_consumer_groups([own]).values():
        future.result()
    groups.until_right("a group that was handed back", [own])


def run(test, worker_of, wait, spec, source, target, brief=False):
    """`brief`: without the one that moves over, which takes half the time."""
    groups = Groups(test, source, target)
    groups.create()
    groups.write(40)
    uid = test.pod(LINK + "-kafka-0")
    settings = {"topics": {"include": ["moves.*"]}, "filter": {"excludePatterns": ["^dropped"]}, "checkpointIntervalMilliseconds": 200,
                "groups": {"include": ["consumer-.*"], "exclude": ["consumer-out"]}}
    test.make(LINK, {**spec, "kafka": settings})
    workers = [worker_of(uid)]

    def said():
        return workers[-1].status()["details"]["kafka"]["groups"]
    try:
        wait("the worker of groups is ready", workers[-1].ready)
        test.caught_up(workers[-1])
        groups.look()
        groups.put("consumer-0", {place: 0 for place in PLACES})
        groups.put("consumer-1", {place: end for place, end in groups.log_ends.items()})
        for number in range(2, COUNT):
            groups.put(f"consumer-{number}", groups.anywhere(groups.random.sample(PLACES, groups.random.randrange(1, len(PLACES) + 1))))
        groups.put("consumer-out", groups.anywhere())
        del groups.stand["consumer-out"]
        groups.until_right("groups that stand anywhere")
        counted = wait("all are counted", lambda: (one := said())["synced"] == COUNT and one)
        assert counted["failed"] == 0 and not counted.get("troubled"), counted
        assert not groups.at_target("consumer-out"), "a group that is left out was carried"
        differ = groups.differ()
        assert differ > COUNT, f"only {differ} positions are other numbers at the target"

        for number in range(1, COUNT, 7):  # forwards, and back to the start
            groups.put(f"consumer-{number}", groups.anywhere() if number % 2 else {place: 0 for place in PLACES})
        groups.until_right("groups that were moved and rewound at the source")

        groups.put("consumer-1", groups.log_ends)
        groups.write(6)
        test.caught_up(workers[-1])
        groups.look()
        groups.until_right("an end that more records came behind")

        if not brief:
            handed_over(groups, said, wait)

        for _ in range(1 if brief else 2):
            workers[-1].kill()
            for number in range(0, COUNT, 3):
                groups.put(f"consumer-{number}", groups.anywhere())
            groups.write(4)
            workers.append(worker_of(uid))
            time.sleep(groups.random.random() * 2)
        test.caught_up(workers[-1])
        groups.look()
        groups.until_right("groups that moved while the worker was down")
        wait("all are counted again", lambda: said()["synced"] == COUNT and said()["failed"] == 0)
        metrics = workers[-1].health("/metrics")[1]
        assert f'twinspan_kafka_groups{{namespace="{test.namespace}",link="{LINK}",state="synced"}} {COUNT}' in metrics, metrics
        assert workers[-1].kill(15) == 0, "it did not end as it was asked to"
    finally:
        for one in workers:
            if one.process.poll() is None:
                one.process.kill()
    moved = "" if brief else "; one moved over, was left alone, and was handed back"
    print(f"{COUNT} groups anywhere in {groups.written} records, with aborted and filtered ones between: each stands at the target at the record that it would read "
          f"next at the source, {differ} positions at other offsets; over rewinds, more records and kills{moved}")
