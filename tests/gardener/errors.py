"""What a walk can end with."""


class Fault(Exception):
    """A check that failed: something that must never be."""

    def __init__(self, check, what):
        super().__init__(f"{check}: {what}")
        self.check = check
