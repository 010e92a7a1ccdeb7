#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Tests tools/bench by stored results.
set -euo pipefail

if ! command -v python3 >/dev/null; then
    echo "LOOPS_SKIPPED: tools-bench: there is no python3 here"
    exit 0
fi
exec python3 "$(dirname "$0")/bench.py"
