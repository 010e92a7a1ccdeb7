// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_state_handlers

#include "support/child_states.hpp"
#include "support/child_watchers.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace test;

// A handler that is handed over by reference is copied, as Asio does it.

BOOST_AUTO_TEST_CASE(lvalues)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::multi_loop_child_watcher watcher;
    watcher.attach_loop(loop);
    const pid_t pid = child_that_pauses();
    auto result = std::make_shared<told>();
    auto handler = [result](loops::error_code ec, const loops::child_state& state) {
        result->end(ec, state);
    };
    const auto constant = handler;
    watcher.async_wait_state(pid, handler);
    watcher.async_wait_state(pid, handler);
    watcher.async_wait_state(pid, constant);
    watcher.async_wait_state(pid, constant);
    BOOST_TEST(result.use_count() == 7); // none was robbed
    ::kill(pid, SIGKILL);
    run(loop, 1);
    BOOST_TEST(result->calls == 4U);
    BOOST_TEST(result->state.exit().term_signal() == SIGKILL);
    BOOST_TEST(result.use_count() == 3);
}
