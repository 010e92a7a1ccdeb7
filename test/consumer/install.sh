# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# For the scripts that source it, with b2's arguments: installs the library into $prefix.
top=$(cd ../.. && pwd)
scratch=$top/bin/consumer
prefix=$scratch/prefix
mkdir -p "$scratch"

for word; do
    case $word in
        toolset=clang*) cxx=clang++ ;;
        toolset=gcc*) cxx=g++ ;;
        cxxstd=*) std=${word#*=} ;;
    esac
done

(cd "$top" && b2 --ignore-site-config -j2 "$@" install --prefix="$prefix") 2>&1 |
    sed 's/^/    /'

runs_shared() {
    LD_LIBRARY_PATH=$prefix/lib "$1"
    [[ $(LD_LIBRARY_PATH=$prefix/lib ldd "$1") == *"libloops.so."*" => $prefix/lib/"* ]]
}

runs_static() {
    "$1"
    [[ $(ldd "$1") != *libloops* ]]
}
