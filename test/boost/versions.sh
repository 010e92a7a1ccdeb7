#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# An older Boost than ours is refused, in words; what newer ones moved is found where they have it. The
# folders version and newer make another of the Boost that is here. Arguments: b2's.
set -euo pipefail
cd "$(dirname "$0")/../.."

. test/compiler.sh

# compile VERSION ARGUMENTS...
compile() {
    "$cxx" -std="c++$std" -Wall -Wextra -Werror -pthread -DBOOST_ASIO_NO_DEPRECATED -Iinclude \
        -isystem test/boost/version -DLOOPS_TEST_BOOST_VERSION="$1" "${@:2}"
}

# By programs, and by who builds the library.
for header in include/loops/event_loop.hpp src/precompiled.hpp; do
    if said=$(compile 108000 -E -x c++ "$header" 2>&1 >/dev/null); then
        echo "Boost 1.80 is not refused by $header" >&2
        exit 1
    fi
    grep 'error.*Loops needs Boost 1.81 or newer' <<<"$said"
done

compile 108800 -isystem test/boost/newer -fsyntax-only test/boost/newer.cpp

# Whoever includes Boost.Process himself has one version's places, as programs that have yet to adopt Loops.
if grep -rl '#include <boost/process' include src test example bench tools --include='*.[ch]pp' |
    grep -v -e '^include/loops/detail/boost_process.hpp$' -e '^test/boost/newer/' -e '^example/adopting/'; then
    echo "these are to include <loops/detail/boost_process.hpp>" >&2
    exit 1
fi
