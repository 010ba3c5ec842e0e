# How stages run, what they leave out and what is said of it at the end. Sourced by tests/all; tests/stages_test.sh looks at it.
#   stage NAME SECONDS COMMAND…   runs the command, also after others failed. It ends with 77 where it could not run
#   needed=yes stage …            nothing runs after it if it fails
#   beside FUNCTION…              begins these beside the stages; awaited FUNCTION… waits for their end
#   in_time FUNCTION              whether it has ended by the time that the run is LATEST seconds old: what a machine is too slow for is left out, and told
#   along FUNCTION                begins what takes long and mostly waits beside the stages, at their priority; `joined FUNCTION` is the stage that ends it
#   skip REASON                   for a stage that can't run; scripts tell of less in a line in $TWINSPAN_SKIPPED, GoogleTest and pytest by themselves
#   sum_up                        the end: what was slow, left out or not run, and `N passed, N failed, N skipped`
work=$(mktemp -d)
chmod 755 "$work"
export TWINSPAN_JUNIT=$work/junit GTEST_OUTPUT=xml:$work/junit/ # how long the tests of a stage took, what skipped itself: told by them, also by those that gave root's rights up
export TWINSPAN_SKIPPED=$work/skipped-now                        # where scripts tell what they left out, a line each
touch "$work/skipped" "$work/slow"
LATEST=${LATEST:-3900} # CI ends a run after 5400 s, whatever it has seen
background="" passed=0 failed=0 hopeless="" not_run=() over=()

finish() {
  local group
  for group in $background; do kill -- "-$group" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

stage() { # name, the seconds that it should take at most on two cores when nothing has to be awaited, command…
  local name=$1 budget=$2 at=$SECONDS code real cpu waited said teller
  shift 2
  if [ -n "$hopeless" ]; then not_run+=("$name"); return; fi
  printf '\n=== %s\n' "$name"
  rm -rf "$TWINSPAN_JUNIT" "$work/along"; mkdir -m 1777 "$TWINSPAN_JUNIT"; : >"$TWINSPAN_SKIPPED"; : >"$work/waited"
  exec {said}> >(tee "$work/said")
  teller=$!
  set +e # or the stage would run with errors ignored
  (trap 'times >"$work/times"' EXIT; set -e; "$@") >&"$said" 2>&1 {said}>&-
  code=$?
  set -e
  exec {said}>&-
  ended "$teller" # or its last lines came after ours
  [ ! -f "$work/along" ] || at=$(cat "$work/along") # it began before this
  real=$((SECONDS - at)) cpu=$(tr 'ms' '  ' <"$work/times" | awk '{ sum += 60 * ($1 + $3) + $2 + $4 } END { printf "%d", sum }')
  waited=$(awk '{ sum += $1 } END { printf "%d", sum }' "$work/waited")
  tests/report.py "$name" "$TWINSPAN_JUNIT" "$work/slow" "$TWINSPAN_SKIPPED"
  if [ "$code" = 77 ] && [ ! -s "$TWINSPAN_SKIPPED" ]; then echo "it could not run here" >"$TWINSPAN_SKIPPED"; fi
  sed "s/^SKIPPED: //; s/^/$name: /" "$TWINSPAN_SKIPPED" >>"$work/skipped"
  [ $((real - waited)) -le "$budget" ] || over+=("$name: $((real - waited)) s, expected at most $budget s")
  case $code in
    0) passed=$((passed + 1)); code=passed ;;
    77) code=SKIPPED ;;
    *) failed=$((failed + 1)); hopeless=${needed:-}; code=FAILED; why "$name" ;;
  esac
  printf '=== %s %s in %d s (%d s of processor time, waited %d s for builds; %d s in all)\n' "$name" "$code" "$real" "$cpu" "$waited" "$SECONDS"
}

ended() { # pid: until it is gone, a second at most: what a stage left behind may hold on to its output
  local _
  for _ in {1..20}; do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done
}

# Runs a function with a log, a time and an exit code of its own.
kept() { # function
  (trap "times >'$work/$1.times'" EXIT; set -e; "$1") >"$work/$1.log" 2>&1
  echo $? >"$work/$1.code.new" && mv "$work/$1.code.new" "$work/$1.code"
}
code_of() { # function that was begun in the background: waits for its end, and tells its exit code
  until [ -f "$work/$1.code" ]; do
    [ ! -s "$work/$1.pid" ] || kill -0 "$(cat "$work/$1.pid")" 2>/dev/null || { sleep 1; [ -f "$work/$1.code" ] || { echo "its shell was killed" >>"$work/$1.log"; echo 1 >"$work/$1.code"; }; }
    sleep 0.2
  done
  cat "$work/$1.code"
}
begun() { # pid, function…: what `code_of` and `finish` go by
  local job
  background+=" $1"
  for job in "${@:2}"; do echo "$1" >"$work/$job.pid"; done
}

# Functions that run one after another beside the stages.
beside() { # function…
  set -m # a process group of their own
  (
    chrt --idle --pid 0 "$BASHPID" # only what processor time nobody else wants: tests that look at the clock go on undisturbed
    set +e
    beside=yes
    for job in "$@"; do kept "$job"; done
  ) </dev/null &
  begun $! "$@"
  set +m
}
awaited() { # function…: until those are through; the first code that is not 0, with the end of its log
  local job code at
  for job in "$@"; do
    at=$SECONDS
    code=$(code_of "$job")
    [ -n "${beside:-}" ] || echo $((SECONDS - at)) >>"$work/waited"
    [ "$code" = 0 ] || { tail -40 "$work/$job.log"; return "$code"; }
  done
}
in_time() { # function
  local at=$SECONDS
  until [ -f "$work/$1.code" ] || [ "$SECONDS" -ge "$LATEST" ]; do sleep 0.2; done
  echo $((SECONDS - at)) >>"$work/waited"
  [ -f "$work/$1.code" ]
}
along() { # function
  mkdir -m 1777 "$work/$1.junit"
  : >"$work/$1.skipped"
  set -m
  (
    export TWINSPAN_JUNIT=$work/$1.junit GTEST_OUTPUT=xml:$work/$1.junit/ TWINSPAN_SKIPPED=$work/$1.skipped
    set +e
    beside=yes
    kept "$1"
  ) </dev/null &
  begun $! "$1"
  echo "$SECONDS" >"$work/$1.began"
  set +m
}
joined() { # function: tells what it says from its beginning until its end
  local job=$1 teller code
  cp "$work/$job.began" "$work/along"
  tail -n +1 -s 0.2 -F "$work/$job.log" 2>/dev/null &
  teller=$!
  code=$(code_of "$job")
  sleep 0.5
  kill "$teller"
  cp "$work/$job.junit/." "$TWINSPAN_JUNIT/" -r
  cat "$work/$job.skipped" >>"$TWINSPAN_SKIPPED"
  trap 'cat "$work/'"$job"'.times" - 2>/dev/null < <(times) >"$work/times"' EXIT
  return "$code"
}
skip() { echo "SKIPPED: $1"; echo "$1" >>"$TWINSPAN_SKIPPED"; return 77; }

why() { # name: of a stage that failed, the lines that tell of failures, or its last ones
  grep -aE -A3 'FAULT|FAILED|NOT FOUND|Failure$|[Ee]rror:|\*\*\*|Traceback' "$work/said" >"$work/why" || tail -12 "$work/said" >"$work/why"
  { printf '%s:\n' "$1"; tail -18 "$work/why" | cut -c1-300 | sed 's/^/  /'; } >>"$work/failures"
}

sum_up() {
  local skipped
  if [ "$failed" = 0 ]; then
    printf '\nThe slowest tests:\n'
    sort -rn "$work/slow" | sed -n '1,12s/^/  /p'
  fi
  list() { [ $# = 1 ] || { printf '%s\n' "$1"; printf '  %s\n' "${@:2}"; }; }
  mapfile -t skipped <"$work/skipped"
  list "Slower than they should be on two cores:" "${over[@]}"
  list "Skipped:" "${skipped[@]}"
  list "Not run after the failure:" "${not_run[@]}"
  if [ "$failed" != 0 ]; then # last: whoever shows only the end of a log shows this
    printf '\nWhat failed:\n'
    cat "$work/failures"
  fi
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" $((${#skipped[@]} + ${#not_run[@]}))
  exit $((failed > 0))
}
