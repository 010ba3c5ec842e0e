"""Topics carried between two Kafka clusters by Twinspan's engine and by MirrorMaker 2, one after the other: the same brokers, the same data.

One broker a side (KRaft, data in memory), 4 partitions. In each round every tool runs every case, each time another tool first; what arrived is
read and compared by number after every run.
"""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import figures
import kafka_tools
import machinery
from kafka_tools import MirrorMaker, Twinspan

PARTITIONS = 4
SETTLED = 1.5  # seconds without another record: it is all there
PATIENCE = 180
FIGURES = ("recordsPerCpuSecond", "mbPerCpuSecond", "seconds", "cpuSeconds", "peakMiB", "brokersCpuSeconds", "startSeconds")

# What lies at the source: bytes of a value, share of --records, settings of the producer.
DATA = {
    "lz4-200": (200, 1, {"compression.type": "lz4", "linger.ms": 5, "batch.size": 16384}),
    "single-200": (200, 0.2, {"compression.type": "lz4", "linger.ms": 0, "batch.num.messages": 1}),
    "lz4-1000": (1000, 0.5, {"compression.type": "lz4", "linger.ms": 5, "batch.size": 16384}),
    "lz4-10000": (10000, 0.1, {"compression.type": "lz4", "linger.ms": 5, "batch.size": 65536}),
}


def encoded(codec, goal, what=None):
    return {"what": what or f"the same, one header added, {codec} again", "data": "lz4-200", "codec": codec, "header": True, "tools": lambda: [Twinspan(), MirrorMaker("mm2-tuned", tuned=True)],
            "goals": {"recordsPerCpuSecond": goal}}


# Goals are ratios to the better MirrorMaker 2 of the same case: at least for records a CPU second, at most for the others.
THROUGHPUT = {
    "passed": {"what": "200 B, lz4, passed as it is; both MirrorMakers write lz4 too", "data": "lz4-200", "codec": "lz4", "passes": True,
               "tools": lambda: [Twinspan(), MirrorMaker(), MirrorMaker("mm2-tuned", tuned=True)],
               "goals": {"recordsPerCpuSecond": 40, "seconds": 0.2, "peakMiB": 0.2}},
    "header-lz4": encoded("lz4", 10), "header-none": encoded("none", 10), "header-zstd": encoded("zstd", 10), "header-gzip": encoded("gzip", 2),
    "single": {"what": "200 B, one record a batch, a backlog", "data": "single-200", "codec": "lz4", "passes": True, "tools": lambda: [Twinspan(), MirrorMaker("mm2-tuned", tuned=True)],
               "goals": {"recordsPerCpuSecond": 10}},
    "1k": {"what": "1 KB, lz4, passed", "data": "lz4-1000", "codec": "lz4", "passes": True, "tools": lambda: [Twinspan(), MirrorMaker("mm2-tuned", tuned=True)], "goals": {}},
    "10k": {"what": "10 KB, lz4, passed", "data": "lz4-10000", "codec": "lz4", "passes": True, "tools": lambda: [Twinspan(), MirrorMaker("mm2-tuned", tuned=True)], "goals": {}},
    "exactly-once": {"what": "200 B, lz4, passed, exactly once on both", "data": "lz4-200", "codec": "lz4", "passes": True,
                     "tools": lambda: [Twinspan(), MirrorMaker("mm2-exactly-once", tuned=True, exactly_once=True)], "goals": {"recordsPerCpuSecond": 30}},
    "exactly-once-header": {**encoded("lz4", 8, "the same, one header added, lz4 again"),
                            "tools": lambda: [Twinspan(), MirrorMaker("mm2-exactly-once", tuned=True, exactly_once=True)]},
}
LATENCY_TOOLS = [lambda: Twinspan(), lambda: Twinspan("twinspan-50ms", 50), lambda: MirrorMaker(), lambda: MirrorMaker("mm2-exactly-once", exactly_once=True)]
LAG = {"lag-1000": 1000, "lag-20000": 20000}
LAG_GOALS = {"p50": 50, "p99": 200}  # milliseconds, of exactly once
KILL_TOOLS = [lambda: Twinspan(), lambda: MirrorMaker(), lambda: MirrorMaker("mm2-exactly-once", exactly_once=True)]
KILL_GOAL = 2  # seconds
KILL_RATE = 1000


class Clusters:
    """A broker for each side, by the script of the tests, compiled as in production; librdkafka writes and reads."""

    def __init__(self, source, options):
        self.script = os.path.join(source, "tests/kafka/cluster")
        self.program = os.path.join(options.bin, "twinspan-kafka-sync")
        loader = importlib.machinery.SourceFileLoader("kafka_run", os.path.join(source, "tests/kafka/run"))
        run = importlib.util.module_from_spec(importlib.util.spec_from_loader("kafka_run", loader))
        loader.exec_module(run)
        self.kafka = run.witness()
        self.folder = tempfile.mkdtemp(prefix="ts-bench-kafka-", dir=options.space)
        home = run.ENVIRONMENT["KAFKA_HOME"]
        self.classes = os.path.join(home, "lib-" + kafka_tools.VERSION)
        self.environment = {**run.ENVIRONMENT, "KAFKA_DATA": self.folder, "KAFKA_JIT": "full", "KAFKA_HEAP": "512m"}
        self.ports = {"west": options.kafka_port, "east": options.kafka_port + 10}
        self.source, self.target = (f"127.0.0.1:{port}" for port in self.ports.values())
        try:
            for name, port in self.ports.items():
                self._script("up", name, port, "log.segment.delete.delay.ms=1000", "log.retention.ms=-1", "log.retention.check.interval.ms=3600000",
                             "broker.session.timeout.ms=30000")  # a busy machine is no dead broker
        except BaseException:
            self.stop()
            raise
        self.brokers = [machinery.Process(int(pathlib.Path(self.folder, name, "1/pid").read_text())) for name in self.ports]
        self.admins = {place: self.kafka.admin.AdminClient({"bootstrap.servers": place, "log_level": 0}) for place in (self.source, self.target)}
        self.written, self.there = {}, set()

    def _script(self, *arguments):
        done = subprocess.run([self.script, *map(str, arguments)], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"cluster {arguments}: {done.stdout}{done.stderr}")

    def stop(self):
        for name in self.ports:
            self._script("down", name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_seconds(self):
        return sum(broker.cpu_seconds() for broker in self.brokers)

    def create(self, topic):
        new = self.kafka.admin.NewTopic(topic, PARTITIONS, 1, config={"max.message.bytes": "2000000"})
        for future in self.admins[self.source].create_topics([new]).values():
            future.result()
        time.sleep(1)  # a leader is named before it takes requests

    def forget(self, topic):
        """At the target, so that memory is enough for the next run."""
        for future in self.admins[self.target].delete_topics([topic]).values():
            future.result()

    def end(self, place, topic):
        """How far the partitions go, markers and what is not committed counted; 0 where the topic is not there."""
        if topic not in self.there:  # asked for offsets of what it has not heard of, the client would not hear of it for long
            if topic not in self.admins[place].list_topics(timeout=10).topics:
                return 0
            self.there.add(topic)
        spec = {self.kafka.TopicPartition(topic, partition): self.kafka.admin.OffsetSpec.latest() for partition in range(PARTITIONS)}
        try:
            return sum(future.result().offset for future in self.admins[place].list_offsets(spec, request_timeout=10).values())
        except self.kafka.KafkaException:
            return 0

    def fill(self, name, records):
        """What lies at the source, once a run: values begin with their number, and halve under lz4."""
        size, share, settings = DATA[name]
        topic, count, chance = "bench-" + name, int(records * share), random.Random(1)
        self.create(topic)
        pool = ["".join(chance.choice("0123456789abcdef") for _ in range(size - 12)).encode() for _ in range(2000)]
        producer = self.kafka.Producer({"bootstrap.servers": self.source, "queue.buffering.max.messages": 200000, "enable.idempotence": True, "log_level": 0, **settings})
        for number in range(count):
            while True:
                try:
                    producer.produce(topic, b"%011d " % number + pool[number % 2000], b"key %d" % (number % 5000), partition=number % PARTITIONS)
                    break
                except BufferError:
                    producer.poll(0.05)
            if number % 1000 == 0:
                producer.poll(0)
        if producer.flush(PATIENCE):
            raise RuntimeError(f"{topic} could not be written")
        self.written[name] = (topic, count, size)

    def consumer(self, place, **more):
        return self.kafka.Consumer({"bootstrap.servers": place, "group.id": "bench", "isolation.level": "read_committed", "enable.auto.commit": False, "log_level": 0, **more})

    def check(self, topic, count, header):
        """Reads a whole topic: doubles, losses and what is out of order, of numbers that were dealt to partitions in turn."""
        consumer, doubles, disorder, seen = self.consumer(self.target, **{"enable.partition.eof": True}), 0, 0, 0
        for partition in range(PARTITIONS):
            there, last = set(), -1
            consumer.assign([self.kafka.TopicPartition(topic, partition, 0)])
            ended = False
            while not ended:
                for message in consumer.consume(10000, 0.2):
                    if message.error():
                        ended = True
                        continue
                    number = int(message.value()[:11])
                    doubles += number in there
                    disorder += number < last
                    last = number
                    there.add(number)
                    if header and not any(name == "site" for name, _ in message.headers() or []):
                        raise RuntimeError(f"{topic}: a record has no header site")
            seen += len(there)
        consumer.close()
        return {"doubles": doubles, "lost": count - seen, "outOfOrder": disorder}

    def bytes_of(self, topic):
        """At the target, on its disk: shows whether the codec that was asked for is in force."""
        return sum(path.stat().st_size for path in pathlib.Path(self.folder, "east/1/data").glob(f"{topic}-[0-9]*/*.log"))


def carry(clusters, tool, mark, case):
    """One backlog by one tool."""
    topic, count, size = clusters.written[case["data"]]
    ours = isinstance(tool, Twinspan)
    tool.prepare(clusters, topic, mark, None if ours and case.get("passes") else case["codec"], case.get("header"))
    began, brokers = time.monotonic(), clusters.cpu_seconds()
    running = tool.start()
    first = {"at": began, "cpu": 0.0, "brokers": brokers, "records": 0}
    last, seen, settled = None, 0, None
    try:
        while True:
            running.check()
            end = clusters.end(clusters.target, tool.topic)
            now = {"at": time.monotonic(), "cpu": running.process.cpu_seconds(), "brokers": clusters.cpu_seconds(), "records": end}
            if end > seen:
                if seen == 0:
                    appeared = now["at"]
                    if not tool.counted_from_start:
                        first = now
                seen, last, settled = end, now, now["at"]
            if seen >= count and now["at"] - settled > SETTLED:
                break
            if now["at"] - began > PATIENCE and (settled is None or now["at"] - settled > PATIENCE / 3):
                raise RuntimeError(f"{tool.name}: {seen} of {count} records after {PATIENCE} s; its log is {running.log.name}")
            time.sleep(0.02)
        peak = running.process.peak_mib()
    finally:
        said = running.stop()
    arrived = clusters.check(tool.topic, count, case.get("header"))
    records = count - min(first["records"], count)
    cpu, seconds = max(last["cpu"] - first["cpu"], 0.01), max(last["at"] - first["at"], 0.01)
    run = {"records": records, "seconds": round(seconds, 3), "cpuSeconds": round(cpu, 3), "recordsPerCpuSecond": round(records / cpu), "mbPerCpuSecond": round(records * size / cpu / 1e6, 1),
           "peakMiB": round(peak, 1), "brokersCpuSeconds": round(last["brokers"] - first["brokers"], 2), "startSeconds": round(appeared - began, 2),
           "startCpuSeconds": round(first["cpu"], 2), "bytesAtTarget": clusters.bytes_of(tool.topic), **arrived}
    if ours:
        report = json.loads(said.splitlines()[-1])
        run["encodedRecords"] = sum(one["encodedRecords"] for one in report["partitions"])
        run["batches"] = sum(one["batches"] for one in report["partitions"])
        if any(arrived.values()) or report["halted"]:
            raise RuntimeError(f"{tool.name}: {arrived}, {report}")
    clusters.forget(tool.topic)
    return run


class Writer(threading.Thread):
    """So many records a second, each with the time when it was written. Begins slowly: `rate` is raised once the tool runs."""

    def __init__(self, clusters, topic, rate):
        super().__init__(daemon=True)
        self.clusters, self.topic, self.rate, self.over, self.number = clusters, topic, rate, threading.Event(), 0

    def run(self):
        producer = self.clusters.kafka.Producer({"bootstrap.servers": self.clusters.source, "linger.ms": 1, "compression.type": "lz4", "enable.idempotence": True, "log_level": 0})
        due, before = 0.0, time.monotonic()
        while not self.over.wait(0.001):
            now = time.monotonic()
            due, before = due + (now - before) * self.rate, now
            while self.number < due:
                producer.produce(self.topic, b"%011d %.6f %s" % (self.number, time.monotonic(), b"x" * 160), partition=self.number % PARTITIONS)
                self.number += 1
            producer.poll(0)
        producer.flush(PATIENCE)


class Reader(threading.Thread):
    """What comes at the target: number, when it was written, when it was read."""

    def __init__(self, clusters, topic):
        super().__init__(daemon=True)
        self.clusters, self.topic, self.over, self.seen = clusters, topic, threading.Event(), []
        self.newest, self.after, self.came = 0.0, None, None

    def run(self):
        consumer = self.clusters.consumer(self.clusters.target, **{"fetch.wait.max.ms": 100, "topic.metadata.refresh.interval.ms": 200, "allow.auto.create.topics": False})
        consumer.assign([self.clusters.kafka.TopicPartition(self.topic, partition, 0) for partition in range(PARTITIONS)])
        while not self.over.is_set():
            message = consumer.poll(0.1)
            if message and not message.error():
                number, written = message.value().split(b" ", 2)[:2]
                self.newest, now = float(written), time.monotonic()
                self.seen.append((int(number), self.newest, now))
                if self.after is not None and self.newest > self.after:
                    self.after, self.came = None, now
        consumer.close()

    def watch(self, written):
        """`came` says when the first record that was written later was read."""
        self.came, self.after = None, written


def until(what, asked, running=None, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not (found := asked()):
        if running:
            running.check()
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.01)
    return found


def live(clusters, tool, mark, rate, during):
    """A topic of its own that is written all the while; `during` gets what runs and says what it found."""
    topic = "live-" + mark
    clusters.create(topic)
    tool.prepare(clusters, topic, mark, "lz4" if isinstance(tool, MirrorMaker) else None)
    running, writer, reader = [tool.start()], Writer(clusters, topic, 100), Reader(clusters, tool.topic)
    writer.start()
    try:
        until(f"{tool.name} carries anything", lambda: clusters.end(clusters.target, tool.topic) > 0, running[0])
        reader.start()
        writer.rate = rate
        until(f"{tool.name} has caught up", lambda: reader.newest > time.monotonic() - 1, running[0])
        found = during(running, writer, reader)
        writer.over.set()
        writer.join()
        try:
            until("all of it is read", lambda: len(reader.seen) >= writer.number and len({number for number, _, _ in list(reader.seen)}) >= writer.number, seconds=30)
        except RuntimeError:
            pass  # it is counted
    finally:
        writer.over.set()
        reader.over.set()
        running[-1].stop()
    numbers = [number for number, _, _ in reader.seen]
    found |= {"doubles": len(numbers) - len(set(numbers)), "lost": writer.number - len(set(numbers))}
    clusters.forget(tool.topic)
    return found


def lag(clusters, tool, mark, rate, seconds):
    def during(running, writer, reader):
        time.sleep(2)
        since, cpu = time.monotonic(), running[0].process.cpu_seconds()
        time.sleep(seconds)
        used = running[0].process.cpu_seconds() - cpu
        found = [(read - when) * 1000 for _, when, read in list(reader.seen) if when > since]
        return {"p50": round(figures.percentile(found, 50), 1), "p99": round(figures.percentile(found, 99), 1), "records": len(found), "cpuPercent": round(100 * used / seconds, 1),
                "peakMiB": round(running[0].process.peak_mib(), 1)}
    return live(clusters, tool, mark, rate, during)


def killed(clusters, tool, mark, kills):
    def during(running, writer, reader):
        again = []
        for _ in range(kills):
            time.sleep(2)
            at = time.monotonic()
            running[-1].kill()
            reader.watch(at)
            running.append(tool.start())
            again.append(round(until(f"{tool.name} goes on after it was killed", lambda: reader.came, running[-1]) - at, 2))
        return {"againSeconds": again}
    return live(clusters, tool, mark, KILL_RATE, during)


def summed(runs, names):
    return {name: figures.summary([run[name] for run in runs], 3) for name in names if name in runs[0]}


def ratios(case, tools):
    """Ours by the better MirrorMaker's, with the goal; more is better of records a CPU second."""
    out = {}
    for name in ("recordsPerCpuSecond", "seconds", "peakMiB"):
        more = name == "recordsPerCpuSecond"
        peers = {tool: figure[name]["median"] for tool, figure in tools.items() if tool != "twinspan"}
        better = (max if more else min)(peers, key=peers.get)
        ratio = round(tools["twinspan"][name]["median"] / peers[better], 2 if more else 3)
        out[name] = {"better": better, "ratio": ratio}
        if name in case["goals"]:
            goal = case["goals"][name]
            out[name] |= {"goal": goal, "met": ratio >= goal if more else ratio <= goal}
    return out


def goals_of_lag(name, tools):
    out = {}
    for figure, most in LAG_GOALS.items():
        peer = min(tools[tool][figure]["median"] for tool in tools if tool.startswith("mm2"))
        for tool in tools:
            if tool.startswith("twinspan"):
                mine = tools[tool][figure]["median"]
                out[f"{tool} {figure}, milliseconds"] = {"value": mine, "goal": most, "met": mine <= most, "better": peer, "noWorse": mine <= peer}
    return out


def show(result):
    rows = [[f"{case}: {tool}", *[figure[name]["median"] for name in FIGURES], figure["seconds"]["spread"]]
            for case, one in result["cases"].items() if case in THROUGHPUT for tool, figure in one["tools"].items()]
    figures.table("a backlog, medians", ["", "records/CPU s", "MB/CPU s", "seconds", "CPU s", "peak MiB", "brokers' CPU s", "start s", "spread"], rows)
    rows = [[f"{case}: {name}", figure["better"], figure["ratio"], figure.get("goal", "-"), "" if "met" not in figure else "met" if figure["met"] else "MISSED"]
            for case, one in result["cases"].items() if case in THROUGHPUT for name, figure in one["ratios"].items()]
    figures.table("ours by the better MirrorMaker's", ["", "peer", "ratio", "goal", ""], rows)
    rows = [[f"{case}: {tool}", *[figure[name]["median"] for name in ("p50", "p99", "cpuPercent", "peakMiB", "doubles", "lost")]]
            for case, one in result["cases"].items() if case in LAG for tool, figure in one["tools"].items()]
    if rows:
        figures.table("lag from writing to reading, medians", ["", "p50 ms", "p99 ms", "CPU %", "peak MiB", "doubles", "lost"], rows)
    if "killed" in result["cases"]:
        figures.table("killed -9, restarted at once: first record that was written since", ["", "median s", "max s", "doubles", "lost"],
                      [[tool, one["againSeconds"]["median"], one["againSeconds"]["max"], one["doubles"], one["lost"]] for tool, one in result["cases"]["killed"]["tools"].items()])
    for line in result["missed"]:
        print("MISSED: " + line, flush=True)


def missed(cases):
    lines = []
    for case, one in cases.items():
        for name, figure in one.get("ratios", {}).items():
            if figure.get("met") is False:
                lines.append(f"{case}: {name}: {figure['ratio']} of {figure['better']}'s, the goal is {figure['goal']}")
        for name, figure in one.get("goals", {}).items():
            if not figure["met"]:
                lines.append(f"{case}: {name}: {figure['value']}, the goal is {figure['goal']}")
            if figure.get("noWorse") is False:
                lines.append(f"{case}: {name}: {figure['value']}, MirrorMaker 2 has {figure['better']}")
    return lines


def backlogs(clusters, options, cases, head, result):
    for name in dict.fromkeys(THROUGHPUT[case]["data"] for case in cases):
        print(f"  {name} is written", flush=True)
        clusters.fill(name, options.records)
    for tool in (Twinspan(), MirrorMaker("mm2-tuned", tuned=True)):  # not measured: brokers that have compiled nothing yet
        carry(clusters, tool, f"warm-{tool.name}", THROUGHPUT[cases[0]])
    runs = {}
    for number in range(options.rounds):
        for case in cases:
            tools = THROUGHPUT[case]["tools"]()
            for tool in tools[number % len(tools):] + tools[:number % len(tools)]:
                run = carry(clusters, tool, f"{case}-{tool.name}-{number}", THROUGHPUT[case])
                runs.setdefault(case, {}).setdefault(tool.name, (tool, []))[1].append(run)
                print(f"  {case:20} round {number + 1} {tool.name:17} {run['seconds']:7.2f} s  CPU {run['cpuSeconds']:6.2f} s  {run['recordsPerCpuSecond']:9,} records/CPU s  {run['peakMiB']:7.1f} MiB  "
                      f"brokers' CPU {run['brokersCpuSeconds']:6.2f} s", flush=True)
    for case in cases:
        tools = {name: {"why": tool.why, **summed(some, [*FIGURES, "startCpuSeconds", "bytesAtTarget"]), **{key: sum(run[key] for run in some) for key in ("doubles", "lost", "outOfOrder")}}
                 for name, (tool, some) in runs[case].items()}
        result["cases"][case] = {"what": THROUGHPUT[case]["what"], **head, "rounds": options.rounds, "records": clusters.written[THROUGHPUT[case]["data"]][1], "tools": tools,
                                 "ratios": ratios(THROUGHPUT[case], tools), "runs": {name: some for name, (_, some) in runs[case].items()}}


def lags(clusters, options, cases, head, result):
    runs = {}
    for number in range(options.rounds):
        for case in cases:
            tools = [make() for make in LATENCY_TOOLS]
            for tool in tools[number % len(tools):] + tools[:number % len(tools)]:
                run = lag(clusters, tool, f"{case}-{tool.name}-{number}", LAG[case], options.lag_seconds)
                runs.setdefault(case, {}).setdefault(tool.name, (tool, []))[1].append(run)
                print(f"  {case:20} round {number + 1} {tool.name:17} p50 {run['p50']:7.1f} ms  p99 {run['p99']:7.1f} ms  CPU {run['cpuPercent']:5.1f}%", flush=True)
    for case in cases:
        tools = {name: {"why": tool.why, **summed(some, ("p50", "p99", "cpuPercent", "peakMiB", "doubles", "lost"))} for name, (tool, some) in runs[case].items()}
        result["cases"][case] = {"what": f"{LAG[case]} records of 200 B a second, lz4; from writing to reading of committed records", **head, "rounds": options.rounds, "tools": tools,
                                 "goals": goals_of_lag(case, tools), "runs": {name: some for name, (_, some) in runs[case].items()}}


def kills(clusters, options, head, result):
    tools, goals = {}, {}
    for make in KILL_TOOLS:
        tool = make()
        run = killed(clusters, tool, f"killed-{tool.name}", options.kills)
        tools[tool.name] = {"why": tool.why, "againSeconds": figures.summary(run["againSeconds"], 2), "doubles": run["doubles"], "lost": run["lost"], "runs": run["againSeconds"]}
        print(f"  killed {tool.name:17} again after {run['againSeconds']} s, doubles {run['doubles']}, lost {run['lost']}", flush=True)
    mine = tools["twinspan"]
    goals["first record again, seconds"] = {"value": mine["againSeconds"]["max"], "goal": KILL_GOAL, "met": mine["againSeconds"]["max"] <= KILL_GOAL}
    goals["doubles and losses"] = {"value": mine["doubles"] + mine["lost"], "goal": 0, "met": mine["doubles"] + mine["lost"] == 0}
    result["cases"]["killed"] = {"what": f"{KILL_RATE} records a second; killed -9 and started again at once, {options.kills} times", **head, "tools": tools, "goals": goals}


def run(source, options):
    for tool in ("java", os.path.join(options.bin, "twinspan-kafka-sync")):
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is missing: make build, bench/prepare kafka")
    known = [*THROUGHPUT, *LAG, "killed"]
    cases = [case for case in known if not options.case or case in options.case.split(",")]
    path = os.path.join(options.results, "kafka.json")
    result = figures.busy(figures.heading(source, os.path.join(options.bin, "twinspan-operator")))
    result |= {"program": "twinspan-kafka-sync", "peer": f"MirrorMaker 2 {kafka_tools.VERSION}, dedicated mode, {' '.join(kafka_tools.JAVA[1:])}", "tuned": kafka_tools.TUNED,
               "what": "one backlog, or live records, from one broker of Kafka 4.1.1 to another, 4 partitions, plain TCP on loopback, data in memory (tmpfs), by each tool in turn; what arrived is read after each run",
               "meaning": {"seconds, cpuSeconds": "ours: from the start of its process to its last record; MirrorMaker 2: from its first record at the target to its last, so that its start is left out",
                           "startSeconds": "from the start of the process to the first record at the target", "peakMiB": "largest resident set of the process", "brokersCpuSeconds": "of both "
                           "brokers meanwhile: on as few cores as these the tools' wall time contains it", "ratios": "median of ours by the better of the peers' medians, each figure by itself",
                           "bytesAtTarget": "of the topic's log there", "lag": "by one clock, from the moment before produce() to that after poll(), of committed records"},
               "notMeasured": ["TLS", "1,000 partitions and 10,000 groups", "another pod after a kill", "at least once (Idempotent) of ours, which this version does not have"], "cases": {}}
    if options.case and os.path.exists(path):  # the others stay as they were taken
        with open(path) as file:
            result["cases"] = json.load(file)["cases"]
    clusters = Clusters(source, options)
    sys.setswitchinterval(0.0005)  # the reader must not wait for the writer
    head = {"date": figures.now(), "commit": figures.commit(source), "loadBefore": round(os.getloadavg()[0], 2)}
    try:
        if throughput := [case for case in cases if case in THROUGHPUT]:
            backlogs(clusters, options, throughput, head, result)
        if live_ones := [case for case in cases if case in LAG]:
            lags(clusters, options, live_ones, head, result)
        if "killed" in cases:
            kills(clusters, options, head, result)
    finally:
        clusters.stop()
    result["cases"] = {case: result["cases"][case] for case in known if case in result["cases"]}
    result["missed"] = missed(result["cases"])
    show(result)
    figures.write(options.results, "kafka", result)
