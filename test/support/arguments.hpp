// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_ARGUMENTS_HPP
#define LOOPS_TEST_SUPPORT_ARGUMENTS_HPP

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

namespace test {

// The path of a program or plug-in that the build has put among the arguments after "--".
inline std::string helper_path(const std::string& file)
{
    const auto& suite = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i < suite.argc; ++i)
    {
        const std::string path = suite.argv[i];
        if (path.substr(path.rfind('/') + 1) == file)
            return path.find('/') == std::string::npos ? "./" + path : path;
    }
    throw std::runtime_error("no " + file + " among the arguments after --");
}

} // namespace test

#endif
