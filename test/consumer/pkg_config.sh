#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Builds and runs programs with what pkg-config says of the installed library, by hand and by a b2
# project that has nothing else of it. Arguments: b2's.
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
runs_shared "$program" "$(pkg-config --modversion loops)"
if wanted static; then
    "$cxx" -std="c++$std" main.cpp "${cflags[@]}" "${libs[@]/#-lloops/$prefix/lib/libloops.a}" \
        -o "$program-static"
    runs_static "$program-static"
fi

if has_foreign; then
    read -ra libs < <(pkg-config --libs loops_glib loops_uv)
    "$cxx" -std="c++$std" foreign.cpp "${cflags[@]}" "${libs[@]}" -o "$program-foreign"
    runs_shared "$program-foreign"
fi

# That project has no backends: what it needs to know is in the flags.
words=()
for word; do
    [[ $word == asio-backend=* ]] || words+=("$word")
done
(cd installed && b2 --ignore-site-config -j2 "${words[@]}" 2>&1) |
    sed 's/^/    /' | tee "$scratch/log"
grep -q '^ *\*\*passed\*\*' "$scratch/log"

LD_LIBRARY_PATH=$prefix/lib "$prefix/bin/loops-info" --json >/dev/null
