# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# For the scripts that source it, with b2's arguments: installs the library, and moves what was
# installed to $prefix, where it has to be found. Once for all of them: use_project.sh begins anew.
top=$(cd ../.. && pwd)
scratch=$top/bin/consumer
prefix=$scratch/moved
mkdir -p "$scratch"

# Whether what is linked so is to be tried: LOOPS_TEST_LINKS names fewer.
wanted() { [[ " ${LOOPS_TEST_LINKS:-shared static} " == *" $1 "* ]]; }

. ../compiler.sh

if [[ ! -e $prefix || $(cat "$scratch/moved-of") != "$*" ]]; then
    rm -rf "$scratch/prefix" "$prefix"
    what=install
    wanted static || what=install-shared
    (cd "$top" && b2 --ignore-site-config -j2 "$@" $what --prefix="$scratch/prefix") 2>&1 |
        sed 's/^/    /'
    echo "$*" >"$scratch/moved-of"
    mv "$scratch/prefix" "$prefix"
fi

runs_shared() {
    LD_LIBRARY_PATH=$prefix/lib "$@"
    [[ $(LD_LIBRARY_PATH=$prefix/lib ldd "$1") == *"libloops.so."*" => $prefix/lib/"* ]]
}

runs_static() {
    "$1"
    [[ $(ldd "$1") != *libloops* ]]
}

# Where GLib and libuv are, what is for them was installed.
has_foreign() {
    pkg-config --exists glib-2.0 libuv && [[ -e $prefix/lib/libloops_uv.so ]]
}
