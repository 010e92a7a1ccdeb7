// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_CONTRACT_POLICY_SUITE_HPP
#define LOOPS_TEST_CONTRACT_POLICY_SUITE_HPP

#include "support/policy_kinds.hpp"

#include <boost/config/helper_macros.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>

namespace test {

// Adds a suite with one test case for each kind of policies. Compiled once, not once a kind: many
// kinds come together.
class case_of_each_kind
{
public:
    case_of_each_kind(
        const char* name, void (*body)(const policy_kind&), const char* file, std::size_t line)
    {
        namespace boost_test = boost::unit_test;
        auto* const suite = new boost_test::test_suite(name, file, line);
        for (const policy_kind& kind : all_policy_kinds())
            suite->add(
                boost_test::make_test_case([body, &kind] { body(kind); }, kind.name, file, line));
        boost_test::framework::current_auto_test_suite().add(suite);
    }
};

} // namespace test

// Begins the body of a test that every kind has to pass; it is given the `kind`.
#define LOOPS_POLICY_CASE(name)                                    \
    static void name(const test::policy_kind& kind);               \
    static const test::case_of_each_kind BOOST_JOIN(name, _cases)( \
        BOOST_STRINGIZE(name), name, __FILE__, __LINE__);          \
    static void name(const test::policy_kind& kind)

#endif
