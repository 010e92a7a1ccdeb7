// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_RUN_FIXTURE_HPP
#define LOOPS_TEST_SUPPORT_RUN_FIXTURE_HPP

#include "support/child_watchers.hpp"

#include <boost/asio/steady_timer.hpp>

namespace test {

// A loop, and the watcher whose turn it is behind what is run there; Options are what that takes.
template <class Setup, class Options>
struct run_fixture
{
    asio::io_context loop;
    const asio::steady_timer reactor{loop}; // Asio's own descriptors
    const child_ledger ledger;
    const std::shared_ptr<loops::child_watcher> watcher = Setup::make();

    run_fixture() { watcher->attach_loop(loop); }
    ~run_fixture() { watcher->close(); }
    run_fixture(const run_fixture&) = delete;
    run_fixture& operator=(const run_fixture&) = delete;

    Options options() const
    {
        Options made;
        made.watcher = watcher;
        return made;
    }
};

} // namespace test

#endif
