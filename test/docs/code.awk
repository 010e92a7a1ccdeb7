# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Makes a source of the C++ in a page: AsciiDoc's [source,cpp] blocks, and Markdown's ```cpp. Each
# becomes a function, which has what context.hpp gives it; where it is a program, that is its main().

BEGIN { print "#include \"docs/context.hpp\"" }

function begin_block()
{
    inside = 1
    program = 0
    text = ""
    first = NR + 1
}

function end_block()
{
    inside = 0
    ++count
    printf "namespace docs {\nnamespace block_%d {\n", count
    if (!program)
        printf "void code()\n{\n"
    printf "#line %d \"%s\"\n%s", first, FILENAME, text
    if (!program)
        printf "}\n"
    printf "}\n}\n"
}

inside && /^(----|```)$/ { end_block(); next }
inside && /^#include/ { text = text "\n"; next } # of the library, which context.hpp includes whole
inside && sub(/^int main\(/, "void code(") { program = 1 }
inside { text = text $0 "\n" }
/^\[source,cpp\]$/ { getline; begin_block() }
/^```cpp$/ { begin_block() }
END {
    if (inside || count == 0) {
        printf "#error no C++, or a block without an end, in %s\n", FILENAME
    }
}
