# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Makes a source of the C++ in pages: AsciiDoc's [source,cpp] blocks, and Markdown's ```cpp. Each
# becomes a function, which has what context.hpp gives it; where it is a program, that is its main().
# All are in a table, for main.cpp to run them.

BEGIN { print "#include \"docs/context.hpp\"" }

function begin_block()
{
    inside = 1
    program = 0
    text = ""
    first = FNR + 1
}

function end_block()
{
    inside = 0
    ++count
    ++of_page[FILENAME]
    printf "namespace docs {\nnamespace block_%d {\n", count
    if (!program)
        printf "void code()\n{\n"
    printf "#line %d \"%s\"\n%s", first, FILENAME, text
    if (!program)
        printf "}\n"
    printf "}\n}\n"
    table = table sprintf("    {\"%s:%d\", &block_%d::code, %s},\n", FILENAME, first, count, \
        text ~ /cgroup_scope/ ? "true" : "false")
}

inside && /^(----|```)$/ { end_block(); next }
# context.hpp has what a program includes, and what it declares and leaves to the reader.
inside && /^(#include|void serve\()/ { text = text "\n"; next }
inside && sub(/^int main\(/, "void code(") { program = 1 }
# Nobody else's port, and nobody else's callers.
inside { gsub(/asio::ip::tcp::v4\(\), 8080/, "asio::ip::address_v4::loopback(), 0"); text = text $0 "\n" }
/^\[source,cpp\]$/ { getline; begin_block() }
/^```cpp$/ { begin_block() }
END {
    printf "namespace docs {\nconst std::vector<block> blocks = {\n%s};\n}\n", table
    for (i = 1; i < ARGC; ++i) {
        if (inside || !(ARGV[i] in of_page))
            printf "#error no C++, or a block without an end, in %s\n", ARGV[i]
    }
}
