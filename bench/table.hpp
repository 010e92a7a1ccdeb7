// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_TABLE_HPP
#define LOOPS_BENCH_TABLE_HPP

#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

/// Prints what holds, in AsciiDoc: a row for each guarantee, a column for each subject. Each cell is printed
/// as soon as it is known.
/// @param cell Plays the guarantee of that number with the subject of that number, and gives the outcome.
inline void print_guarantees(const std::vector<std::string>& guarantees,
    const std::vector<std::string>& subjects,
    const std::function<std::string(std::size_t guarantee, std::size_t subject)>& cell)
{
    std::printf("[cols=\"3,%zu*1\"]\n|===\n| guarantee", subjects.size());
    for (const std::string& who : subjects)
        std::printf(" | %s", who.c_str());
    std::printf("\n");
    for (std::size_t row = 0; row < guarantees.size(); ++row)
    {
        std::printf("\n| %s\n", guarantees[row].c_str());
        for (std::size_t column = 0; column < subjects.size(); ++column)
        {
            std::printf("| %s\n", cell(row, column).c_str());
            std::fflush(stdout);
        }
    }
    std::printf("|===\n");
}

#endif
