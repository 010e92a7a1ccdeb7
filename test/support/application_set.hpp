// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_APPLICATION_SET_HPP
#define LOOPS_TEST_SUPPORT_APPLICATION_SET_HPP

#include "support/child_processes.hpp"
#include "support/latch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <memory>

#include <sys/wait.h>

namespace test {

namespace asio = boost::asio;

// How often a signal set of the application's was told.
class application_set
{
public:
    explicit application_set(asio::io_context& loop) : set_(loop, SIGCHLD) { listen(); }
    application_set(const application_set&) = delete;
    application_set& operator=(const application_set&) = delete;
    ~application_set() { said_->over = true; }

    int calls() const { return said_->calls; }

private:
    // What is queued outlives the set.
    struct said
    {
        int calls = 0;
        bool over = false;
    };

    void listen()
    {
        set_.async_wait([this, said = said_](const boost::system::error_code& ec, int) {
            if (ec || said->over)
                return;
            ++said->calls;
            listen();
        });
    }

    const std::shared_ptr<said> said_ = std::make_shared<said>();
    asio::signal_set set_;
};

inline bool hears(application_set& set, asio::io_context& loop)
{
    loop.restart();
    loop.poll(); // what came before
    const int before = set.calls();
    const pid_t pid = child_that_exits(0);
    const bool heard = eventually([&] {
        loop.restart();
        loop.poll();
        return set.calls() > before;
    });
    ::waitpid(pid, nullptr, 0); // where no watcher has
    return heard;
}

} // namespace test

#endif
