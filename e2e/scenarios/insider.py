"""Probes one instance until it is ended, and prints each write that was accepted as a line of JSON.

usage: INSIDER_DSN=... insider.py ENDPOINT
"""
import json
import os
import sys
import time

from prober import Prober

prober = Prober(sys.argv[1], os.environ["INSIDER_DSN"])
prober.start()
told = 0
while True:
    for write in prober.accepted[told:]:
        print(json.dumps(vars(write)), flush=True)
        told += 1
    time.sleep(0.02)
