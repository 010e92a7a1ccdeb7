// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_closing

#include "support/child_watchers.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>

using namespace test;
using loops::error;

// Watchers that are closed, also where they are used, and members that are used at a time.

BOOST_AUTO_TEST_CASE_TEMPLATE(closed_in_its_own_handler, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    gated_child child;
    const recorder other;
    std::atomic<int> calls{0};
    watcher->add_child_handler(child.pid(), other);
    watcher->async_wait(child_that_exits(1), [&](loops::error_code, const auto&) {
        ++calls;
        watcher->close();
        watcher->close();
    });
    Setup::run(loop);
    BOOST_TEST(calls == 1);
    BOOST_TEST((other.result->ec() == asio::error::operation_aborted));
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(destroyed_in_its_own_handler, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    auto watcher = Setup::make();
    watcher->attach_loop(loop);
    gated_child child;
    const recorder other;
    std::atomic<int> calls{0};
    watcher->async_wait(child.pid(), other);
    watcher->add_child_handler(child_that_exits(1), [&](pid_t, int code) {
        calls += code;
        watcher.reset();
    });
    Setup::run(loop);
    BOOST_TEST(calls == 1);
    BOOST_TEST((other.result->ec() == asio::error::operation_aborted));
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(errors_as_codes, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    loops::error_code ec = error::queue_full;
    watcher->attach_loop(loop, ec);
    BOOST_TEST(!ec);
    BOOST_TEST(watcher->is_active());
    ec = error::queue_full;
    watcher->attach_loop(nullptr, ec);
    BOOST_TEST(!ec);
    BOOST_TEST(!watcher->is_active());
    ec = error::queue_full;
    watcher->close(ec);
    BOOST_TEST(!ec);
    watcher->attach_loop(loop, ec);
    BOOST_TEST((ec == error::watcher_closed));
    ec.clear();
    watcher->attach_loop(nullptr, ec);
    BOOST_TEST((ec == error::watcher_closed));
}

// What is on its way when the watcher is closed can still be removed.
BOOST_AUTO_TEST_CASE_TEMPLATE(removed_after_closing, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    gated_child child;
    tells_its_end handler;
    const std::weak_ptr<int> alive = handler.alive;
    watcher->add_child_handler(child.pid(), std::move(handler));
    watcher->close();
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
    BOOST_TEST(alive.expired());
    Setup::run(loop);
    child.reap();
}

namespace {

// Counts calls and ends: the handler is destroyed once, and called no more than that.
struct counted
{
    std::atomic<long>* calls;
    std::shared_ptr<std::atomic<int>> own = std::make_shared<std::atomic<int>>(0);
    std::atomic<long>* twice;

    counted(std::atomic<long>& c, std::atomic<long>& t) : calls(&c), twice(&t) {}
    void operator()(loops::error_code, const loops::child_exit&) const
    {
        ++*calls;
        if (++*own > 1)
            ++*twice;
    }
};

} // namespace

// Attached, detached, closed, waited with, by threads of their own, while children end and loops
// are destroyed: each wait on a loop that lives ends once.
BOOST_AUTO_TEST_CASE_TEMPLATE(everything_at_a_time, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const log_capture log;
    std::atomic<long> started{0};
    std::atomic<long> ended{0};
    std::atomic<long> twice{0};
    std::atomic<bool> stop{false};
    {
        asio::io_context first;
        asio::io_context second;
        auto first_work = asio::make_work_guard(first);
        auto second_work = asio::make_work_guard(second);
        auto strand = asio::make_strand(second);
        std::vector<std::thread> loops;
        for (asio::io_context* loop : {&first, &second})
            loops.emplace_back([loop] { Setup::run(*loop); });
        std::mutex mutex;
        auto present = Setup::make();
        present->attach_loop(first);
        const auto watcher = [&] {
            const std::lock_guard lock(mutex);
            return present;
        };

        std::vector<std::thread> threads;
        threads.emplace_back([&] { // waits
            while (!stop)
            {
                const pid_t pid = child_that_exits(1);
                const auto used = watcher();
                started += 3;
                used->async_wait(pid, counted(ended, twice));
                used->async_wait(
                    pid, asio::bind_executor(first.get_executor(), counted(ended, twice)));
                used->async_wait(pid, asio::bind_executor(strand, counted(ended, twice)));
                ++started;
                loops::error_code ec;
                used->add_child_handler(pid, counted(ended, twice), ec);
                if (used->remove_child_handler(pid) || ec)
                    --started;
                ::waitpid(pid, nullptr, 0);
            }
        });
        threads.emplace_back([&] { // attaches and detaches
            loops::error_code ec;
            while (!stop)
            {
                const auto used = watcher();
                used->attach_loop(second, ec);
                used->attach_loop(nullptr, ec);
                used->attach_loop(first, ec);
                std::this_thread::yield();
            }
        });
        threads.emplace_back([&] { // closes
            while (!stop)
            {
                auto fresh = Setup::make();
                fresh->attach_loop(second);
                {
                    const std::lock_guard lock(mutex);
                    present.swap(fresh);
                }
                fresh->close();
                std::this_thread::yield();
            }
        });
        threads.emplace_back([&] { // destroys loops
            while (!stop)
            {
                gated_child child;
                auto own = std::make_unique<asio::io_context>();
                const auto used = watcher();
                for (int i = 0; i < 3; ++i)
                    used->async_wait(
                        child.pid(), asio::bind_executor(own->get_executor(), [](auto&&...) {}));
                own->poll();
                own.reset();
                child.reap();
            }
        });
        for (std::size_t round = 0; round < rounds(60); ++round)
        {
            const pid_t pid = child_that_exits(0);
            watcher()->async_wait(pid, [](auto&&...) {});
            ::waitpid(pid, nullptr, 0);
        }
        stop = true;
        for (std::thread& thread : threads)
            thread.join();
        watcher()->close();
        BOOST_TEST(eventually([&] { return ended == started; }));
        first_work.reset();
        second_work.reset();
        for (std::thread& loop : loops)
            loop.join();
    }
    BOOST_TEST(twice == 0);
    BOOST_TEST(ended == started);
}
