// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_PRINT_HPP
#define PREFORK_SERVER_PRINT_HPP

#include <algorithm>
#include <ostream>
#include <string>

namespace prefork {

/// Prints one line, headed by the program's name, by one write; whatever the text holds.
inline void print_line(std::ostream& out, std::string text)
{
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
    std::replace_if(text.begin(), text.end(), is_control, ' ');
    out << ("prefork_server: " + text + '\n') << std::flush;
}

} // namespace prefork

#endif
