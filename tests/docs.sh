#!/bin/bash
# The documentation against what it is about, without building anything: the reference is what the sources say, alerts have runbooks
# and name metrics that exist, links lead somewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
docs/reference.py --check || failed=1
tests/alerts/check names || failed=1
tests/docs_links.py || failed=1
[ "$failed" = 0 ] && echo "docs: passed"
exit "$failed"
