"""The tools that carry topics between two Kafka clusters: how each is set up, started and told from its last run."""
import json
import os
import signal
import subprocess

import machinery

# As Kafka's own script starts Connect (bin/connect-distributed.sh, kafka-run-class.sh).
JAVA = ["java", "-server", "-Xms256M", "-Xmx2G", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"]
VERSION = "4.1.1"
# What Strimzi's documentation advises for much traffic ("Configuring MirrorMaker 2 for high-volume messages").
TUNED = {"tasks.max": 2, "east.producer.batch.size": 327680, "east.producer.linger.ms": 100, "SOURCE.consumer.fetch.max.bytes": 52428800,
         "SOURCE.consumer.max.partition.fetch.bytes": 1048576, "SOURCE.consumer.max.poll.records": 500}


class Running:
    """A process that carries one topic until it is stopped."""

    def __init__(self, command, log, environment=None):
        self.log = open(log, "ab")
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, **(environment or {})})
        self.process = machinery.Process(self.child.pid)

    def check(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.child.args[0]} ended with {self.child.returncode}, its log is {self.log.name}")

    def end(self, number):
        self.child.send_signal(number)
        try:
            out, _ = self.child.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            out, _ = self.child.communicate()
        self.log.close()
        return out.decode(errors="replace")

    def stop(self):
        return self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)


class Twinspan:
    """The engine of Kafka links, as a program. Every record exactly once, whatever the case."""

    counted_from_start = True

    def __init__(self, name="twinspan", checkpoint=None):
        self.name, self.checkpoint = name, checkpoint
        self.why = "exactly once, as it comes" if checkpoint is None else f"exactly once, a transaction every {checkpoint} ms at most"

    def prepare(self, clusters, topic, mark, codec=None, header=None):
        """A run of its own: `mark` tells its topic at the target, and its state. A codec: encoded anew."""
        self.topic, self.folder = f"{mark}.{topic}", clusters.folder
        self.command = [clusters.program, "--source", clusters.source, "--target", clusters.target, "--topics", topic, "--prefix", mark + ".", "--link", f"bench.{mark}"]
        if self.checkpoint is not None:
            self.command += ["--checkpoint-ms", str(self.checkpoint)]
        if codec or header:
            path = os.path.join(clusters.folder, f"{mark}.rules.json")
            with open(path, "w") as file:
                json.dump({**({"addHeaders": {"site": "west"}} if header else {}), **({"compression": codec.capitalize()} if codec else {})}, file)
            self.command += ["--rules", path]

    def start(self):
        return Running(self.command, os.path.join(self.folder, self.name + ".log"))


class MirrorMaker:
    """MirrorMaker 2 in dedicated mode: one process, one flow."""

    counted_from_start = False  # what the JVM takes to start, and Connect to settle, is not laid to its charge

    def __init__(self, name="mm2", tuned=False, exactly_once=False):
        self.name, self.tuned, self.exactly_once = name, tuned, exactly_once
        self.why = ", ".join([("tuned for much traffic" if tuned else "as it comes"), ("exactly once" if exactly_once else "at least once")])

    def prepare(self, clusters, topic, mark, codec=None, header=None):
        self.topic, self.folder, self.classes = f"{mark}.{topic}", clusters.folder, clusters.classes
        flow = f"{mark}->east"
        settings = {"clusters": f"{mark}, east", f"{mark}.bootstrap.servers": clusters.source, "east.bootstrap.servers": clusters.target, f"{flow}.enabled": "true",
                    f"{flow}.topics": topic, f"east->{mark}.enabled": "false", "sync.topic.acls.enabled": "false"}
        settings |= {f"{name}.replication.factor": 1 for name in ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic", "offset.storage", "status.storage", "config.storage")}
        settings["replication.factor"] = 1
        if self.tuned:
            settings |= {name.replace("SOURCE", mark): value for name, value in TUNED.items()}
        if codec and codec != "none":
            settings["east.producer.compression.type"] = codec
        if header:
            settings |= {f"{flow}.transforms": "site", f"{flow}.transforms.site.type": "org.apache.kafka.connect.transforms.InsertHeader",
                         f"{flow}.transforms.site.header": "site", f"{flow}.transforms.site.value.literal": "west",
                         f"{flow}.header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter"}  # MirrorMaker's own takes bytes alone, and the header is text
        if self.exactly_once:
            settings |= {"east.exactly.once.source.support": "enabled", "dedicated.mode.enable.internal.rest": "true", "listeners": f"http://127.0.0.1:{machinery.free_port()}"}
        self.settings = os.path.join(clusters.folder, f"{mark}.properties")
        with open(self.settings, "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())

    def start(self):
        return Running([*JAVA, f"-Dlog4j2.configurationFile={os.path.dirname(self.classes)}/log4j2.yaml", "-cp", f"{self.classes}/*",
                        "org.apache.kafka.connect.mirror.MirrorMaker", self.settings], os.path.join(self.folder, self.name + ".log"))
