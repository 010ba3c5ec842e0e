"""Waiting for conditions, never for time."""
import time


def until(what, probe, seconds, every=0.1):
    """Calls `probe` until it answers with something else than a text or None, and returns that.

    A text says what is still missing; the last one is in the message of the failure.
    """
    began = time.monotonic()
    while True:
        found = probe()
        if found is not None and not isinstance(found, str):
            return found
        if time.monotonic() - began > seconds:
            raise AssertionError(f"{what}: not within {seconds:g} s; {found or 'nothing seen'}")
        time.sleep(every)


def within(what, probe, seconds, every=0.1):
    """As `until`, and returns how many seconds it took."""
    began = time.monotonic()
    until(what, probe, seconds, every)
    return time.monotonic() - began
