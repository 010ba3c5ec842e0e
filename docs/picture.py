#!/usr/bin/env python3
"""Draws the output of a real run as docs/demo.svg:  make demo | tee run.txt; docs/picture.py < run.txt > docs/demo.svg"""
import html
import sys

lines = [line.rstrip() for line in sys.stdin]
while lines and not lines[0]:
    lines.pop(0)
kept = []
for line in lines:  # one blank line at most
    if line or (kept and kept[-1]):
        kept.append(line)
width = max(len(line) for line in kept) * 8.45 + 40
height = len(kept) * 19 + 64
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">')
print(f'<rect width="100%" height="100%" rx="8" fill="#16181d"/>')
for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
    print(f'<circle cx="{22 + i * 20}" cy="20" r="6" fill="{colour}"/>')
for i, line in enumerate(kept):
    colour = "#d7dae0"
    if line.startswith("$"):
        colour = "#7fd1ff"
    elif line.startswith("demo:"):
        colour = "#8ae68a"
    elif "kill -9" in line:
        colour = "#ffb86b"
    print(f'<text x="20" y="{56 + i * 19}" fill="{colour}" xml:space="preserve">{html.escape(line)}</text>')
print("</svg>")
