#!/usr/bin/python3
"""What a stage's tests said of themselves: report.py STAGE FOLDER SLOW_FILE SKIPPED_FILE reads the JUnit files in FOLDER (of GoogleTest
and pytest), appends `SECONDS s  STAGE: TEST` for each test to SLOW_FILE, and a line for each that was skipped or disabled to SKIPPED_FILE."""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

stage, folder, slow, skipped = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
with open(slow, "a") as times, open(skipped, "a") as left_out:
    for path in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname', '').rsplit('.', 1)[-1]}.{case.get('name')}"
            reason = case.find("skipped")
            disabled = case.get("status") == "notrun" and reason is None
            if reason is not None or disabled:
                said = "disabled" if disabled else (reason.get("message") or reason.text or "no reason given")
                left_out.write(f"{name}: {' '.join(said.split())}\n")
            else:
                times.write(f"{float(case.get('time') or 0):.1f} s  {stage}: {name}\n")
