"""What an action of a walk is."""


class Skipped(Exception):
    """There is nothing to do it to at present; says why."""


class Action:
    """Everything that is chosen is chosen when it is made, from the seed; `run` finds out whom that means now."""

    weight = 2
    group = ""  # a burst has at most one of a group
    outage = 5.0  # seconds that clients may be kept waiting for it, on a machine with much to do
    serves = True  # whether clients are served while it lasts
    lasts = False  # whether it has to be taken back by leave()
    may_wait_for_person = False  # whether Stalled and a command is a right end
    forgets = False  # whether the lease may not tell afterwards who was primary last: everybody is asked then
    unheard = False  # whether it wants an endpoint that can't answer

    def __init__(self, random):
        pass

    @property
    def name(self):
        return type(self).__name__

    def words(self):
        return self.name

    def run(self, shop):
        """Does it, and says in a few words what was done."""
        raise NotImplementedError

    def look(self, shop):
        """While it lasts: what is wrong, as text; empty. Asked until it is empty or time is up."""
        return ""

    def leave(self, shop):
        """Takes back what lasts. Documents are taken back by the walk."""


class Of(Action):
    """To one of the members, by role."""

    roles = ("primary", "replica", "other-replica")

    def __init__(self, random):
        self.role = random.choice(self.roles)

    def words(self):
        return f"{self.name}({self.role})"

    def endpoint(self, shop):
        found = shop.resolve(self.role)
        if not found:
            raise Skipped(f"there is no {self.role} now")
        return found
