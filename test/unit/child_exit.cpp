// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_exit

#include <loops/child_exit.hpp>

#include <boost/test/unit_test.hpp>

using loops::child_exit;

BOOST_AUTO_TEST_CASE(of_no_process)
{
    const child_exit exit;
    BOOST_TEST(exit.pid() == 0);
    BOOST_TEST(!exit.exited());
    BOOST_TEST(!exit.signaled());
    BOOST_TEST(exit.returncode() == 0);
    BOOST_TEST(!exit.rusage().has_value());
}

BOOST_AUTO_TEST_CASE(every_code)
{
    for (int code = 0; code < 256; ++code)
    {
        const child_exit exit(5, code << 8);
        BOOST_TEST(exit.exited());
        BOOST_TEST(!exit.signaled());
        BOOST_TEST(!exit.core_dumped());
        BOOST_TEST(exit.exit_code() == code);
        BOOST_TEST(exit.term_signal() == 0);
        BOOST_TEST(exit.returncode() == code);
        BOOST_TEST(exit.native_status() == code << 8);
    }
}

BOOST_AUTO_TEST_CASE(every_signal)
{
    for (int signal = 1; signal < 65; ++signal)
    {
        for (const int core : {0, 0x80})
        {
            const child_exit exit(5, signal | core);
            BOOST_TEST(!exit.exited());
            BOOST_TEST(exit.signaled());
            BOOST_TEST(exit.core_dumped() == (core != 0));
            BOOST_TEST(exit.term_signal() == signal);
            BOOST_TEST(exit.exit_code() == 0);
            BOOST_TEST(exit.returncode() == -signal);
        }
    }
}

BOOST_AUTO_TEST_CASE(stopped_is_no_end)
{
    const child_exit exit(5, 0x137f); // SIGSTOP, as waitpid() codes it
    BOOST_TEST(!exit.exited());
    BOOST_TEST(!exit.signaled());
}

BOOST_AUTO_TEST_CASE(usage)
{
    loops::resource_usage used;
    used.max_resident_kib = 7;
    const child_exit exit(5, 0, used);
    BOOST_REQUIRE(exit.rusage().has_value());
    BOOST_TEST(exit.rusage()->max_resident_kib == 7);
}
