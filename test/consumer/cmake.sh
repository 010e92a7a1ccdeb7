#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Builds and runs programs that find the installed library by CMake. Arguments: b2's.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cmake >/dev/null; then
    echo "LOOPS_SKIPPED: consumer-cmake: there is no cmake here"
    exit 0
fi
. ./install.sh

rm -rf "$scratch/cmake"
cmake -S cmake -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_STANDARD="$std"
cmake --build "$scratch/cmake"
runs_shared "$scratch/cmake/by_cmake"
! wanted static || runs_static "$scratch/cmake/by_cmake_static"
if has_foreign; then
    runs_shared "$scratch/cmake/by_cmake_foreign"
    ! wanted static || runs_static "$scratch/cmake/by_cmake_foreign_static"
fi
