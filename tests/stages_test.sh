#!/usr/bin/env bash
# What could not run is never counted as passed, whoever left it out; and after a failure it is said what did not run.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failed=0

run() { # stages, as lines of bash: their output without times, and the exit code
  printf '%s\n' 'set -euo pipefail' 'source tests/stages.sh' "$1" sum_up >"$work/stages"
  local code=0
  bash "$work/stages" >"$work/out" 2>&1 || code=$?
  echo "exit $code" >>"$work/out"
}
expect() { # line…: each stands there, alone
  local line
  for line in "$@"; do
    grep -qxF -e "$line" "$work/out" || { printf 'FAILED: expected the line\n  %s\nin\n' "$line"; sed 's/^/  /' "$work/out"; failed=1; }
  done
}
junit='<testsuite><testcase classname="a.Suite" name="%s" time="%s" status="%s">%s</testcase></testsuite>'

run 'stage good 9 true
stage other 9 true'
expect '2 passed, 0 failed, 0 skipped' 'exit 0'

run 'stage cannot 9 skip "there is no moon"
silent() { return 77; }
stage silent 9 silent
stage good 9 true'
expect '1 passed, 0 failed, 2 skipped' '  cannot: there is no moon' '  silent: it could not run here' 'exit 0'

run "tests_of_gtest() { printf '$junit' One 3.25 run '' >\$TWINSPAN_JUNIT/a.xml; printf '$junit' Two 0 run '<skipped message=\"no root\"/>' >\$TWINSPAN_JUNIT/b.xml
  printf '$junit' Three 0 notrun '' >\$TWINSPAN_JUNIT/c.xml; echo 'half of it: no kubectl' >>\$TWINSPAN_SKIPPED; }
stage tests 9 tests_of_gtest"
expect '1 passed, 0 failed, 3 skipped' '  tests: Suite.Two: no root' '  tests: Suite.Three: disabled' '  tests: half of it: no kubectl' '  3.2 s  tests: Suite.One' 'exit 0'

run 'breaks() { false; echo "went on after an error"; }
stage breaks 9 breaks
stage later 9 true
needed=yes stage base 9 false
stage never 9 true
needed=yes stage neither 9 true'
expect '1 passed, 2 failed, 2 skipped' 'Not run after the failure:' '  never' '  neither' 'exit 1'
! grep -q 'went on' "$work/out" || { echo "FAILED: a stage went on after an error"; failed=1; }

run 'loud() { echo "a.cpp:7: Failure"; echo "  Which is: 3"; seq 1 500; return 1; }
stage loud 9 loud'
expect 'What failed:' 'loud:' '  a.cpp:7: Failure' '    Which is: 3'
run 'quiet() { seq 1 500; return 1; }
stage quiet 9 quiet'
expect 'What failed:' 'quiet:' '  500'
run 'leaves() { sleep 30 & false; }
stage leaves 9 leaves'
expect '0 passed, 1 failed, 0 skipped' 'exit 1'

run 'made() { echo making; return 3; }
lacks() { return 77; }
beside made lacks
needs() { awaited lacks || { [ $? = 77 ] && skip "nothing to build with"; }; }
stage needs 9 needs
broken() { awaited made; }
stage broken 9 broken'
expect '0 passed, 1 failed, 1 skipped' '  needs: nothing to build with' 'making' 'exit 1'

run 'quick() { true; }
slow() { sleep 300; }
beside quick slow
both() { in_time "$1" || skip "too slow here"; awaited "$1"; }
stage quick 9 both quick
LATEST=$((SECONDS + 1))
stage slow 9 both slow
stage next 9 true'
expect '2 passed, 0 failed, 1 skipped' '  slow: too slow here' 'exit 0'

run "long() { echo begun; sleep 2; printf '$junit' Long 2 run '' >\$TWINSPAN_JUNIT/a.xml; echo 'half of it: no moon' >>\$TWINSPAN_SKIPPED; echo ended; }
breaks() { sleep 0.5; false; echo went on; }
lacks() { return 77; }
leaves() { sleep 30 & }
along long; along breaks; along lacks; along leaves
stage between 1 sleep 1.1
stage long 1 joined long
stage breaks 9 joined breaks
stage lacks 9 joined lacks
stage leaves 9 joined leaves"
expect '3 passed, 1 failed, 2 skipped' begun ended '  long: half of it: no moon' '  lacks: it could not run here' 'breaks:' 'exit 1'
seconds=$(sed -nE 's/^  long: ([0-9]+) s, expected at most 1 s$/\1/p' "$work/out") # a slow machine may take longer, never less than it sleeps
[ "${seconds:-0}" -ge 2 ] || { echo "FAILED: what began early is measured from the stage on"; cat "$work/out"; failed=1; }
! grep -q 'went on' "$work/out" || { echo "FAILED: what runs along went on after an error"; failed=1; }

run 'dies() { until [ -s "$work/$1.pid" ]; do sleep 0.1; done; kill -9 "$(cat "$work/$1.pid")" "$BASHPID"; }
killed() { dies killed; }
also() { dies also; }
along killed
beside also
needs() { awaited also; }
stage killed 9 joined killed
stage needs 9 needs'
expect '0 passed, 2 failed, 0 skipped' 'its shell was killed' 'exit 1'

run 'stage slow 0 sleep 1.1'
expect '1 passed, 0 failed, 0 skipped' 'Slower than they should be on two cores:'
grep -qE '^  slow: [0-9]+ s, expected at most 0 s$' "$work/out" || { echo "FAILED: a stage over its budget isn't named"; failed=1; }

[ "$failed" = 0 ] && echo "stages: counted as they should be"
exit "$failed"
