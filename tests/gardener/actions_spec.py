"""Actions by editing what Git has: good edits stay, the others are taken back at the burst's end."""
import math
import time

from action import Action, Skipped
from api import ApiError, condition
from shop import NAME, endpoints, set_parameter


class Reapply(Action):
    """The same once more changes nothing."""

    outage = 3.0

    def run(self, shop):
        shop.apply()


class Switchover(Action):
    weight, outage = 4, 10.0

    def __init__(self, random):
        self.to = random.choice(("replica", "other-replica", ""))

    def words(self):
        return f"Switchover({self.to or 'nowhere'})"

    def run(self, shop):
        to = shop.resolve(self.to) if self.to else ""
        if to is None or to and to not in shop.names():
            raise Skipped(f"there is no {self.to} now")
        if not shop.policy:
            raise Skipped("there is no policy")
        shop.edit(lambda _, policy: policy["spec"].__setitem__("desiredPrimary", to))
        return f"desiredPrimary {to!r}"


class GoodParameter(Action):
    weight, outage = 3, 15.0
    VALUES = (("work_mem", ("5MB", "6MB", "7MB")), ("log_min_duration_statement", ("250ms", "300ms")), ("max_connections", ("62", "64", "66")),
              ("wal_sender_timeout", ("30s", "40s")), ("max_worker_processes", ("9", "10")), ("random_page_cost", ("2", "3")))

    def __init__(self, random):
        self.parameter, values = random.choice(self.VALUES)
        self.value = random.choice(values)

    def words(self):
        return f"GoodParameter({self.parameter}={self.value})"

    def run(self, shop):
        shop.edit(lambda link, _: set_parameter(link, self.parameter, self.value))


class RefusedEdit(Action):
    """Validation refuses it: it is said, and nothing of it is carried out."""

    weight, group, lasts, outage = 3, "slip", True, 5.0
    EDITS = (("east", "max_connections", "300"), ("", "listen_addresses", "*"), ("west", "data_directory", "/tmp"), ("", "no such name", "1"))

    def __init__(self, random):
        self.where, self.parameter, self.value = random.choice(self.EDITS)
        self.refused_at_once = False

    def words(self):
        return f"RefusedEdit({self.where or 'everywhere'}: {self.parameter}={self.value})"

    def run(self, shop):
        try:
            shop.slip(lambda link, _: set_parameter(link, self.parameter, self.value, self.where or None))
        except ApiError as error:
            self.refused_at_once = True
            shop.good_again()
            return f"the API refuses it: {error.message[:80]}"

    def look(self, shop):
        if self.refused_at_once:
            return ""
        ready = condition(shop.object(), "Ready")
        if ready.get("status") != "False" or self.parameter not in ready.get("message", ""):
            return f"Ready must be False and name {self.parameter}: {ready}"
        return ""


class BadParameter(Action):
    """What only PostgreSQL can refuse, some of it by not starting: clients do not notice."""

    weight, group, lasts, outage = 3, "slip", True, 10.0
    VALUES = (("shared_preload_libraries", "pg_stat_statments"), ("shared_buffers", "100TB"), ("log_timezone", "Mars/Olympus"), ("session_preload_libraries", "no_such_library"),
              ("max_connections", "100000000"))

    def __init__(self, random):
        self.parameter, self.value = random.choice(self.VALUES)

    def words(self):
        return f"BadParameter({self.parameter}={self.value})"

    def run(self, shop):
        try:
            shop.slip(lambda link, _: set_parameter(link, self.parameter, self.value))
        except ApiError as error:
            shop.good_again()
            return f"the API refuses it: {error.message[:80]}"

    def look(self, shop):
        if not any(one.get("parameters", {}).get(self.parameter) == self.value for one in (e["postgres"]["managed"] for e in endpoints(shop.link))):
            return ""
        ready = condition(shop.object(), "Ready")
        if ready.get("status") != "False" or self.parameter not in ready.get("message", ""):
            return f"Ready must be False and name {self.parameter}: {ready}"
        return ""


class AlterSystem(Action):
    """Somebody with the superuser's rights overrides what the agent owns."""

    outage = 5.0
    VALUES = (("synchronous_standby_names", "''"), ("listen_addresses", "'*'"), ("hba_file", "'/tmp/none'"), ("primary_conninfo", "''"), ("fsync", "off"))

    def __init__(self, random):
        self.parameter, self.value = random.choice(self.VALUES)

    def words(self):
        return f"AlterSystem({self.parameter}={self.value})"

    def run(self, shop):
        primary = shop.resolve("primary")
        if not primary:
            raise Skipped("there is no primary now")
        try:
            shop.ask(primary, f"ALTER SYSTEM SET {self.parameter} = {self.value}")
            shop.ask(primary, "SELECT pg_reload_conf()")
        except RuntimeError as error:
            return f"PostgreSQL refuses it: {str(error)[:80]}"


class Scale(Action):
    """A replica goes, and comes again in a later burst; one joins under a name whose claim is another's."""

    weight, group, outage = 3, "volume", 10.0

    def __init__(self, random):
        self.name_ = random.choice(("west-2", "west-2", "west-3"))

    def words(self):
        return f"Scale({self.name_})"

    def run(self, shop):
        there = self.name_ in shop.names()
        if there and (self.name_ == shop.primary() or len(shop.names()) < 3 or shop.unsettled()):
            raise Skipped("it is the primary, or too few would be left")

        def change(link, policy):
            targets = link["spec"]["targets"]
            if there:
                link["spec"]["targets"] = [one for one in targets if one["name"] != self.name_]
                if policy and policy["spec"].get("desiredPrimary") == self.name_:
                    policy["spec"]["desiredPrimary"] = ""
            elif all(one["name"] != self.name_ for one in targets):
                targets.append({**targets[0], "name": self.name_})
        shop.edit(change)
        return f"{'without' if there else 'with'} {self.name_}"


class ForeignClaimWanted(Action):
    """A target whose volume is another's by name: it is left alone, which is said."""

    weight, group, lasts, outage, unheard = 1, "slip", True, 5.0, True

    def run(self, shop):
        shop.slip(lambda link, _: link["spec"]["targets"].append({**link["spec"]["targets"][0], "name": "east-2"}))

    def look(self, shop):
        ready = condition(shop.object(), "Ready")
        return "" if ready.get("status") == "False" and "orders-east-2" in ready.get("message", "") else f"Ready must be False and name orders-east-2-…: {ready}"


class ForeignServiceWanted(Action):
    weight, group, lasts, outage = 2, "slip", True, 5.0

    def run(self, shop):
        if not shop.policy:
            raise Skipped("there is no policy")
        shop.slip(lambda _, policy: policy["spec"]["services"].append({"name": "orders-legacy", "selects": "Primary"}))

    def look(self, shop):
        ready = condition(shop.policy_object(), "Ready")
        return "" if ready.get("status") == "False" and "orders-legacy" in ready.get("message", "") else f"the policy's Ready must be False and name orders-legacy: {ready}"


class RefusedPolicy(Action):
    weight, group, lasts, outage = 2, "slip", True, 5.0

    def run(self, shop):
        if not shop.policy:
            raise Skipped("there is no policy")
        shop.slip(lambda _, policy: policy["spec"].__setitem__("candidates", {"prefer": ["nobody-of-that-name"]}))

    def look(self, shop):
        ready = condition(shop.policy_object(), "Ready")
        return "" if ready.get("status") == "False" and "prefer" in ready.get("message", "") else f"the policy's Ready must be False and name prefer: {ready}"


class ModeWithout(Action):
    """A policy that does not act by itself, or none at all: a primary that dies comes back in its place."""

    weight, group, lasts, outage = 2, "slip", True, 10.0

    def __init__(self, random):
        self.mode = random.choice(("Manual", "DryRun"))

    def words(self):
        return f"ModeWithout({self.mode})"

    def run(self, shop):
        if not shop.policy:
            raise Skipped("there is no policy")
        shop.slip(lambda _, policy: policy["spec"].__setitem__("mode", self.mode))


class Pause(Action):
    weight, group, lasts, serves, outage = 2, "slip", True, False, 60.0

    def run(self, shop):
        shop.slip(lambda link, _: link["spec"].__setitem__("paused", True))


class PruneAll(Action):
    """GitOps prunes link and policy, and applies them again at the burst's end."""

    weight, group, lasts, serves, outage = 3, "slip", True, False, 90.0

    def __init__(self, random):
        self.order = random.choice((("ReplicationLink", "FailoverPolicy"), ("FailoverPolicy", "ReplicationLink")))

    def words(self):
        return f"PruneAll({self.order[0]} first)"

    def run(self, shop):
        for kind in self.order:
            shop.api.delete(kind, NAME)

    def look(self, shop):
        return "the link is still there" if shop.object() else ""


class PrunePolicy(Action):
    weight, group, lasts, serves, outage = 2, "slip", True, False, 60.0

    def run(self, shop):
        shop.api.delete("FailoverPolicy", NAME)
        shop.policy = None


class Resources(Action):
    """Pods are replaced one at a time."""

    weight, outage = 1, 20.0

    def __init__(self, random):
        self.cpu = random.choice(("40m", "60m", "70m"))

    def words(self):
        return f"Resources(cpu {self.cpu})"

    def run(self, shop):
        def change(link, _):
            for one in endpoints(link):
                one["postgres"]["managed"]["resources"] = {"requests": {"cpu": self.cpu}}
        shop.edit(change)


class Grow(Action):
    weight, outage = 1, 3.0

    def run(self, shop):
        def change(link, _):
            for one in endpoints(link):
                storage = one["postgres"]["managed"]["storage"]
                storage["size"] = f"{int(storage['size'][:-2]) + 1}Gi"
        shop.edit(change)


class NoNodeHasIt(Action):
    """An image that nobody has: tried on one, clients do not notice."""

    weight, group, lasts, outage = 1, "slip", True, 10.0

    def run(self, shop):
        def change(link, _):
            for one in endpoints(link):
                one["postgres"]["managed"]["image"] = "registry.example/no-such-image:1"
        shop.slip(change)

    def look(self, shop):
        ready = condition(shop.object(), "Ready")
        return "" if ready.get("status") == "False" and ready.get("message") else f"Ready must be False: {ready}"


class Durability(Action):
    """Sync with one or both replicas."""

    weight, outage = 2, 10.0

    def __init__(self, random):
        self.replicas = random.choice((1, 2))

    def words(self):
        return f"Durability({self.replicas})"

    def run(self, shop):
        if len(shop.names()) <= self.replicas:
            raise Skipped("there are too few replicas")
        shop.edit(lambda link, _: link["spec"]["postgres"].__setitem__("durability", {"mode": "Sync", "replicas": self.replicas}))


class Async(Action):
    """For the burst commits wait for nobody: what is acknowledged until Sync is in force again may be lost."""

    weight, group, lasts, outage = 1, "slip", True, 15.0

    def run(self, shop):
        shop.unsafe.append([time.monotonic(), math.inf])
        shop.slip(lambda link, _: link["spec"]["postgres"].__setitem__("durability", {"mode": "Async"}))


ALL = (Reapply, Switchover, GoodParameter, RefusedEdit, BadParameter, AlterSystem, Scale, ForeignClaimWanted, ForeignServiceWanted, RefusedPolicy, ModeWithout,
       Pause, PruneAll, PrunePolicy, Resources, Grow, NoNodeHasIt, Durability, Async)
