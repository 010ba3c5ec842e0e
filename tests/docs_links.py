#!/usr/bin/python3
"""Every link in a page that is kept in Git leads to a file of it, and to a heading that it has."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def anchors(path):
    """As GitHub makes them of headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    for head in re.findall(r"^#+ (.*)$", text, re.M):
        yield re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-")


def main():
    pages = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True, text=True, check=True).stdout.split()
    failed, seen = 0, 0
    for page in (ROOT / p for p in pages if (ROOT / p).exists()):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)):
            if re.match(r"[a-z]+:", target):
                continue
            seen += 1
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            if not there.exists():
                print(f"FAILED: {page.relative_to(ROOT)}: {target} is no file")
            elif anchor and anchor not in anchors(there):
                print(f"FAILED: {page.relative_to(ROOT)}: {name or page.name} has no heading for #{anchor}")
            else:
                continue
            failed = 1
    if seen < 20:
        print(f"FAILED: only {seen} links were found: this test would prove nothing")
        failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
