"""Mistakes planted by hand, each of which a check must find: a gardener that finds nothing proves nothing."""
import os
import pwd
import signal
import subprocess
import time

import checks
import processes
import truth
import walk as walks
import walk_s3 as walks_s3
from depot import RETURNS_SECONDS, SIDES, Sent, wrong_keys
from errors import Fault
from shop import NAME, set_parameter
from walk import Walk
from walk_s3 import WalkS3

POSTGRES = "/usr/lib/postgresql/15/bin"


class Planted:
    """`walk` around a fresh link, and mistakes one after the other."""

    def __init__(self, walk):
        self.walk, self.unfound = walk, []

    def run(self):
        """The names of mistakes that nobody found."""
        fault = self.walk.guarded(self._all)
        return [*self.unfound, *([f"the end: {fault}"] if fault else [])]

    def mistakes(self):
        """Each gives the names of checks that may find it, what to look with, and what undoes it."""
        raise NotImplementedError

    def _all(self):
        self.begin()
        for mistake in self.mistakes():
            self._found(mistake.__name__, *mistake())

    def begin(self):
        pass

    def _found(self, name, wanted, check, undo):
        try:
            check()
            found = None
        except Fault as fault:
            found = fault
        right = found and found.check in wanted
        self.walk.say(f"planted: {name}: {'found: ' + str(found)[:150] if right else f'NOT FOUND ({found})'}")
        if not right:
            self.unfound.append(name)
        undo()


class PlantedAtShop(Planted):
    def __init__(self, folder, say):
        super().__init__(Walk(0, 0, folder, say=say))
        walks.QUIET_SECONDS, truth.LIE_SECONDS = 25, 5.0

    def begin(self):
        self.shop = self.walk.shop
        self.walk.quiet([], time.monotonic())

    def mistakes(self):
        return (self.a_row_removed, self.a_foreign_object_changed, self.a_parameter_not_in_force, self.a_slot_too_many, self.commits_that_wait_for_nobody,
                self.a_second_server, self.nobody_served, self.a_replica_promoted)

    def a_row_removed(self):
        client, (number, _) = self.shop.writers[0].client, self.shop.writers[0].acknowledged[5]
        primary = self.shop.primary()
        self.shop.ask(primary, f"DELETE FROM gardener_writes WHERE client = '{client}' AND n = {number}", "shop")
        return (["nothing lost"], lambda: checks.nothing_lost(self.shop),
                lambda: self.shop.ask(primary, f"INSERT INTO gardener_writes VALUES ('{client}', {number})", "shop"))

    def a_foreign_object_changed(self):
        self.walk.world.api.patch("ConfigMap", "orders", {"data": {"primary": "ours"}})
        return ["foreign objects"], self.walk.always, lambda: self.walk.world.api.patch("ConfigMap", "orders", {"data": {"primary": "theirs"}})

    def a_parameter_not_in_force(self):
        set_parameter(self.shop.link, "work_mem", "77MB")
        return ["parameters"], lambda: checks.in_force(self.shop), self.shop.good_again

    def a_slot_too_many(self):
        primary = self.shop.primary()
        self.shop.ask(primary, "SELECT pg_create_physical_replication_slot('left_over')")
        return ["replication"], lambda: checks.replicas_stream(self.shop), lambda: self.shop.ask(primary, "SELECT pg_drop_replication_slot('left_over')")

    def commits_that_wait_for_nobody(self):
        self.shop.link["spec"]["postgres"]["durability"]["replicas"] = 2  # Git says so, the cluster never heard of it
        return ["durability"], lambda: checks.sync_in_force(self.shop), self.shop.good_again

    def a_second_server(self):
        """One started by hand, in a place that no pod has."""
        account = pwd.getpwnam("postgres")
        folder = self.walk.world.state / "by-hand"
        folder.mkdir()
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([f"{POSTGRES}/initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres"], check=True, **as_who)
        server = subprocess.Popen([f"{POSTGRES}/postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "cluster_name=by-hand"], **as_who)

        def end():
            server.send_signal(signal.SIGINT)
            server.wait(20)
            self.shop.wait(10, lambda: "still seen" if any(one["endpoint"] == "by-hand" for one in self.shop.sight.servers().values()) else "")
            self.shop.sight.forget("by-hand")
        self.shop.wait(20, lambda: "" if any(name.startswith("by-hand") for name in self.shop.sight.writable(time.monotonic() - 1)) else "not up")
        return ["one primary", "leaks", "two primaries"], lambda: checks.one_primary(self.shop), end

    def nobody_served(self):
        """The operator stands still, and what it wrote says that all is well."""
        operator = self.walk.world.operators[0]
        operator.old = True
        operator.tell(signal.SIGSTOP)
        self.shop.api.delete("Service", f"{NAME}-rw")
        self.shop.ask(self.shop.primary(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'")
        self.shop.wait(30, lambda: "" if self.walk.truth.lie else "no lie seen")

        def undo():
            self.walk.world.one_operator()
            self.shop.wait(30, lambda: "; ".join(self.shop.silent_writers(time.monotonic() - 1)))
            self.walk.truth.lie = ""
        return ["truth"], self.walk.always, undo

    def a_replica_promoted(self):
        replica = next(name for name in self.shop.names() if name != self.shop.primary())
        agent = self.shop.agent(replica)
        os.kill(agent, signal.SIGSTOP)  # it would end the server, perhaps before anybody looked
        self.shop.ask(replica, "SELECT pg_promote(false)")

        def undo():
            os.kill(agent, signal.SIGCONT)
            for name in self.shop.names():
                if name != self.shop.primary():
                    os.kill(self.shop.postmaster(name), signal.SIGKILL)
            self.shop.sight.forget()
        return ["two primaries"], lambda: self._within(20, lambda: checks.one_history(self.shop)), undo

    @staticmethod
    def _within(seconds, check):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            check()
            time.sleep(0.2)


class PlantedAtDepot(Planted):
    def __init__(self, folder, say):
        super().__init__(WalkS3(0, 0, folder, say=say))
        walks_s3.COPIED_SECONDS = 8

    def begin(self):
        self.depot = self.walk.depot
        self.depot.wait(20, lambda: "" if self.depot.client.count > 100 else "few writes")
        self.walk.quiet(time.monotonic())

    def mistakes(self):
        return self.an_older_object, self.an_object_removed, self.a_worker_that_stands_still

    def _written(self):
        """A key that has an object at the primary, paused clients."""
        self.depot.client.pause()
        side = self.depot.where()
        return side, next(iter(self.depot.content(side).items()))

    def an_older_object(self):
        side, (key, number) = self._written()
        put = lambda body: self.depot.servers[side].put(SIDES[side], key, str(body).encode())
        put(0)
        return ["nothing lost"], self.walk.nothing_lost, lambda: put(number)

    def an_object_removed(self):
        side, (key, number) = self._written()
        self.depot.servers[side].delete(SIDES[side], key)
        return ["nothing lost"], self.walk.nothing_lost, lambda: self.depot.servers[side].put(SIDES[side], key, str(number).encode())

    def a_worker_that_stands_still(self):
        pids = processes.with_program("twinspan-s3-worker")
        pids = [pid for pid in pids if str(self.walk.world.data).encode() in open(f"/proc/{pid}/cmdline", "rb").read()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        count = self.depot.client.count
        self.depot.wait(20, lambda: "" if self.depot.client.count > count + 50 else "few writes")
        return ["copies"], self.walk.nothing_lost, lambda: [os.kill(pid, signal.SIGCONT) for pid in pids]


def rules_of_loss():
    """Which of a client's writes may be otherwise, without a world around them; what is judged wrongly, as text."""
    sent = Sent("sgp")
    for at, side in ((10, "sgp"), (11, ""), (12, ""), (13, "nyc"), (20, "nyc")):
        sent.see(side, at)
    late = 13 + RETURNS_SECONDS + 1
    cases = [("a client whose look is old removes where nobody is sent any more", True, [(5, "sgp", 1), (12, "sgp", None)], 1),
             ("and when others are sent elsewhere already", True, [(5, "sgp", 1), (15, "sgp", None)], 1),
             ("removed before they were withdrawn", False, [(5, "sgp", 1), (9, "sgp", None)], 1),
             ("removed long after the move", False, [(5, "sgp", 1), (late, "nyc", None)], 1),
             ("written where nobody is sent any more", False, [(5, "sgp", 1), (15, "sgp", 2)], 1),
             ("written where nobody is sent any more, and lost", False, [(15, "sgp", 2)], None)]
    return [f"rule: {what}" for what, right, writes, there in cases
            if right == bool(wrong_keys({"k": writes}, {} if there is None else {"k": there}, "nyc", [], sent.moves))]
