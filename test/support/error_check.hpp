// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_ERROR_CHECK_HPP
#define LOOPS_TEST_SUPPORT_ERROR_CHECK_HPP

#include <loops/error.hpp>

#include <boost/test/unit_test.hpp>

#include <exception>
#include <string>

namespace test {

// What `f` throws, as a code; for threads on which Boost.Test cannot be used.
template <class F>
loops::error_code error_of(F f)
{
    try
    {
        f();
    }
    catch (const loops::system_error& e)
    {
        return e.code();
    }
    return {};
}

// What an exception that was handed on holds, as a code.
inline loops::error_code code_of(const std::exception_ptr& exception)
{
    return error_of([&] {
        if (exception)
            std::rethrow_exception(exception);
    });
}

// Checks that `f` throws a system_error that equals `expected` and whose text has `word` in it.
template <class F, class Code>
void check_error(F f, Code expected, const std::string& word = {})
{
    try
    {
        f();
        BOOST_ERROR("no exception; expected " << loops::error_code(expected).message());
    }
    catch (const loops::system_error& e)
    {
        BOOST_TEST((e.code() == expected),
            e.what() << " instead of " << loops::error_code(expected).message());
        BOOST_TEST(std::string(e.what()).find(word) != std::string::npos,
            "'" << word << "' is not in: " << e.what());
    }
}

} // namespace test

#endif
