// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_stackful

#include "support/child_watchers.hpp"

#include <boost/asio/spawn.hpp>
#include <boost/test/unit_test.hpp>

using namespace test;

BOOST_AUTO_TEST_CASE_TEMPLATE(spawned, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    int code = -1;
    loops::error_code ec;
    asio::spawn(
        loop,
        [&](asio::yield_context yield) {
            code = watcher->async_wait(child_that_exits(7), yield).returncode();
            watcher->async_wait(1, yield[ec]);
        },
        [](std::exception_ptr) {});
    Setup::run(loop);
    BOOST_TEST(code == 7);
    BOOST_TEST((ec == loops::error::not_a_child));
}
