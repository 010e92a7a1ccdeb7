#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Builds and runs a program with what pkg-config says of the installed library. Arguments: b2's.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v pkg-config >/dev/null; then
    echo "LOOPS_SKIPPED: consumer-pkg_config: there is no pkg-config here"
    exit 0
fi
. ./install.sh

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra cflags < <(pkg-config --cflags loops)
read -ra libs < <(pkg-config --libs loops)
program=$scratch/by_pkg-config

"$cxx" -std="c++$std" main.cpp "${cflags[@]}" "${libs[@]}" -o "$program"
runs_shared "$program"
"$cxx" -std="c++$std" main.cpp "${cflags[@]}" "${libs[@]/#-lloops/$prefix/lib/libloops.a}" \
    -o "$program-static"
runs_static "$program-static"
