#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Builds and runs a project of its own that says use-project. Arguments: b2's.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(cd ../.. && pwd)/bin/consumer
rm -rf "$scratch"
mkdir -p "$scratch"

# What is built of the library already is used: it is the same, whoever asks for it.
for link in ${LOOPS_TEST_LINKS:-shared static}; do
    # Indented, for the b2 that runs this script says the same of other tests.
    b2 --ignore-site-config -j2 "$@" link="$link" 2>&1 | sed 's/^/    /' | tee "$scratch/log"
    # b2 ends with status 0 on some errors.
    grep -q '^ *\*\*passed\*\*' "$scratch/log"
done
