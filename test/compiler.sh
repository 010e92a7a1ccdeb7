# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# For the scripts that source it, with b2's arguments: the compiler and the standard that b2 builds with.
std=17 cxx=c++
for word; do
    case $word in
        toolset=clang*) cxx=clang++ ;;
        toolset=gcc*) cxx=g++ ;;
        cxxstd=*) std=${word#*=} ;;
    esac
done
