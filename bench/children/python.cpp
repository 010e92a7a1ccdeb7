// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "python.hpp"

#include "subject.hpp"

#include <cstdlib>

#include <unistd.h>

namespace children {
namespace {

const char* const interpreter = "/usr/bin/python3";

} // namespace

bool has_python()
{
    return ::access(interpreter, X_OK) == 0;
}

bool has_uvloop()
{
    static const bool has =
        std::system("/usr/bin/python3 -c 'import uvloop' 2>/dev/null") == 0; // NOLINT: one thread
    return has;
}

std::vector<std::string> python(const std::string& script, const std::vector<std::string>& given)
{
    std::vector<std::string> command{interpreter, beside(script)};
    command.insert(command.end(), given.begin(), given.end());
    return command;
}

} // namespace children
