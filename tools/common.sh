# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# For the scripts that source it: b2 runs and other checks, each with a log that tools/summary reads.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ $PWD == *[[:space:]]* ]]; then
    echo "$0: b2 cannot build everything below a path with spaces: $PWD" >&2
    exit 2
fi
# Two at a time in one tree would take each other's logs and results for their own.
if [[ ${LOOPS_LOCKED-} != "$PWD" ]]; then
    mkdir -p bin
    exec 9>bin/.lock
    if ! flock -n 9; then
        echo "$0: another script of tools/ builds or tests in $PWD" >&2
        exit 2
    fi
    export LOOPS_LOCKED=$PWD
fi

# With no settings of this machine or user.
b2=(b2 --ignore-site-config --user-config= -j"${LOOPS_JOBS:-$(nproc)}")
logs=()
running=

# Forks of programs with threads are what Loops is about; to ThreadSanitizer the parent's threads
# are leaked when such a child ends.
export TSAN_OPTIONS=${TSAN_OPTIONS:-die_after_fork=0 report_thread_leaks=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

# b2 gives what it starts a process group each; all are of one session.
trap '[[ -z $running ]] || pkill -TERM -s "$running" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# logged NAME SECONDS COMMAND...: output goes to NAME's log; stopped when the time is up.
logged() {
    local log=bin/logs/$1.log seconds=$2 status=0
    shift 2
    mkdir -p bin/logs
    # In the background, for bash heeds no signal while it waits for one in the foreground; but with
    # the signals that bash makes such commands ignore.
    setsid timeout -k 20 "$seconds" env --default-signal "$@" </dev/null >"$log" 2>&1 9>&- &
    running=$!
    wait "$running" || status=$?
    pkill -KILL -s "$running" 2>/dev/null || true
    running=
    printf '\n' >>"$log"
    return "$status"
}

# What went wrong, of a log: what compilers said, and test programs that failed.
show() {
    awk '
        /^====== BEGIN OUTPUT/ { output = 1; next }
        /^====== END OUTPUT/ { output = 0; command = 1; next }
        /^\.\.\.(failed|found|updat|on |patience|skipped|removing)/ { command = 0; next }
        command { next }
        output && /(: (Entering|Leaving) test|" has passed| out of [0-9]+ )/ { next }
        !output && /^(\(failed-as|(gcc|clang-linux)\.|common\.|testing\.|\*\*passed|Jamfile<|LOOPS_|$)/ { next }
        { print "    " substr($0, 1, 300) }' "$1" | tail -n 200
}

# counted NAME BEGIN: one line for what NAME's log holds, and what failed in it.
counted() {
    local log=bin/logs/$1.log counts
    logs+=("$log")
    if ! counts=$(tools/summary "$log"); then
        show "$log"
        grep '^FAILED' <<<"$counts" || true
    fi
    printf '%-36s %s (%d s)\n' "$1" "$(tail -n 1 <<<"$counts")" $((SECONDS - $2))
}

# run NAME B2-ARGUMENTS...: one run of b2.
run() {
    local name=$1 begin=$SECONDS status=0 prefix=()
    shift
    # Tests that are up to date would not run again, and what does not run does not count.
    find bin -type f \( -name '*.run' -o -name '*.test' \) -delete 2>/dev/null || true
    # Clang 14's ThreadSanitizer cannot live with a memory layout more random than this.
    if [[ $* == *thread-sanitizer* ]] && (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null) > 28)) &&
        setarch -R true 2>/dev/null; then
        prefix=(setarch -R)
    fi
    logged "$name" 3000 "${prefix[@]}" "${b2[@]}" "$@" || status=$?
    echo "LOOPS_STATUS $status" >>"bin/logs/$name.log"
    counted "$name" "$begin"
}

# check NAME COMMAND...: something else than b2, counted as one test.
check() {
    local name=$1 begin=$SECONDS result=passed
    shift
    logged "$name" 1800 "$@" || result=failed
    printf 'LOOPS_CHECK %s %s\nLOOPS_STATUS 0\n' "$result" "$name" >>"bin/logs/$name.log"
    counted "$name" "$begin"
}
