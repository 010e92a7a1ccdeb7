#!/usr/bin/env bash
# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# What is a whole program on a page compiles by itself, as it stands there. Arguments: b2's.
set -euo pipefail
cd "$(dirname "$0")/../.."

. test/compiler.sh

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
awk -v made="$made" '
    /^\[source,cpp\]$/ { getline; inside = 1; text = ""; next }
    /^```cpp$/ { inside = 1; text = ""; next }
    inside && /^(----|```)$/ {
        inside = 0
        if (text ~ /\nint main\(/)
            printf "#line %d \"%s\"\n%s", FNR - gsub(/\n/, "\n", text), FILENAME, text >(made "/" ++count ".cpp")
        next
    }
    inside { text = text $0 "\n" }' README.md doc/*.adoc

programs=("$made"/*.cpp)
if ((${#programs[@]} < 5)); then
    echo "only ${#programs[@]} programs were found on the pages" >&2
    exit 1
fi
for program in "${programs[@]}"; do
    head -n 1 "$program"
    "$cxx" -std="c++$std" -Wall -Wextra -Werror -pthread -Iinclude -fsyntax-only "$program"
done
