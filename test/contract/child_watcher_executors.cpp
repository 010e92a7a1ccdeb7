// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_executors

#include <loops/event_loop.hpp>

#include "support/child_watchers.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <stdexcept>

using namespace test;
using loops::error;

// Which executor a wait ends on, and what becomes of it where that is closed, dies or throws.

namespace {

// An executor of a user's that takes nothing.
struct throwing_executor
{
    static asio::execution_context& query(asio::execution::context_t) noexcept
    {
        return asio::query(asio::system_executor(), asio::execution::context);
    }
    static constexpr asio::execution::blocking_t::never_t query(
        asio::execution::blocking_t) noexcept
    {
        return {};
    }
    template <class Function>
    void execute(Function) const
    {
        throw std::runtime_error("thrown by an executor");
    }
    bool operator==(const throwing_executor&) const noexcept { return true; }
    bool operator!=(const throwing_executor&) const noexcept { return false; }
};

} // namespace

// The attached loop is not run, then stopped, then destroyed: what has an executor of its own is
// none of its business.
BOOST_AUTO_TEST_CASE_TEMPLATE(no_loop_and_another_one_attached, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = Setup::make();
    auto attached = std::make_unique<asio::io_context>();
    asio::thread_pool pool(1);
    watcher->attach_loop(*attached);
    const auto wait_both = [&] {
        const recorder pooled;
        gated_child child(5);
        watcher->async_wait(child.pid(), asio::bind_executor(pool.get_executor(), pooled));
        auto future = watcher->async_wait(child.pid(), asio::use_future);
        child.let_go();
        BOOST_TEST((future.wait_for(patience) == std::future_status::ready));
        BOOST_TEST(future.get().returncode() == 5);
        BOOST_TEST(eventually([&] { return pooled.result->calls() == 1; }));
        BOOST_TEST(pooled.result->exit().returncode() == 5);
    };
    wait_both();
    attached->stop();
    wait_both();
    gated_child child(6);
    auto pending = watcher->async_wait(child.pid(), asio::use_future);
    const recorder added;
    watcher->add_child_handler(child.pid(), asio::bind_executor(pool.get_executor(), added));
    attached.reset();
    child.let_go();
    BOOST_TEST(pending.get().returncode() == 6);
    BOOST_TEST(eventually([&] { return added.result->calls() == 1; }));
    wait_both();
    pool.join();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_current_loop_that_nobody_runs, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = Setup::make();
    loops::event_loop current;
    loops::set_event_loop(current);
    auto future = watcher->async_wait(child_that_exits(3), asio::use_future);
    BOOST_TEST((future.wait_for(patience) == std::future_status::ready));
    loops::set_event_loop(nullptr);
}

// Bound by the user, and so not the same as none.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_system_executor, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    const recorder waited;
    const recorder added;
    gated_child child(3);
    watcher->async_wait(child.pid(), asio::bind_executor(asio::system_executor(), waited));
    watcher->add_child_handler(child.pid(), asio::bind_executor(asio::system_executor(), added));
    child.let_go();
    BOOST_TEST(
        eventually([&] { return waited.result->calls() == 1 && added.result->calls() == 1; }));
    BOOST_TEST(waited.result->exit().returncode() == 3);
    BOOST_TEST(added.result->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(erased_executors, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto strand = asio::make_strand(loop);
    const auto watcher = Setup::make();
    std::atomic<int> right{0};
    gated_child child;
    watcher->async_wait(child.pid(), asio::bind_executor(asio::any_io_executor(loop.get_executor()),
                                         [&](loops::error_code, const auto&) {
                                             right += loop.get_executor().running_in_this_thread();
                                         }));
    const auto in_strand = [&](auto&&...) { right += strand.running_in_this_thread() ? 1 : 0; };
    watcher->async_wait(child.pid(), asio::bind_executor(asio::any_io_executor(strand), in_strand));
    watcher->async_wait(child.pid(),
        asio::bind_executor(asio::make_strand(asio::any_io_executor(strand)), in_strand));
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(asio::any_io_executor(strand), in_strand));
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(right == 4);
}

// Both before the loop has watched a child, and after.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_closed_loop, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    gated_child child;
    for (const bool known : {false, true})
    {
        loops::event_loop loop;
        const auto executor = loop.get_executor();
        std::vector<std::weak_ptr<int>> alive;
        const auto handler = [&] {
            tells_its_end made;
            alive.push_back(made.alive);
            return asio::bind_executor(executor, std::move(made));
        };
        if (known)
            watcher->async_wait(child.pid(), handler());
        loop.close();
        watcher->async_wait(child.pid(), handler());
        loops::error_code ec;
        watcher->add_child_handler(child.pid(), handler(), ec);
        BOOST_TEST((ec == error::loop_closed));
        watcher->attach_loop(loop, ec);
        BOOST_TEST((ec == error::loop_closed));
        for (const auto& one : alive)
            BOOST_TEST(one.expired());
    }
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(handlers_go_with_their_loop, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    gated_child child;
    std::vector<std::weak_ptr<int>> alive;
    const auto handler = [&] {
        tells_its_end made;
        alive.push_back(made.alive);
        return made;
    };
    {
        asio::io_context loop;
        watcher->add_child_handler(
            child.pid(), asio::bind_executor(asio::make_strand(loop), handler()));
        loop.poll();
    }
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
    {
        asio::io_context loop;
        watcher->attach_loop(loop);
        watcher->add_child_handler(child.pid(), handler());
    }
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
    for (const auto& one : alive)
        BOOST_TEST(one.expired());
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_executor_that_throws, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const log_capture log;
    const auto watcher = Setup::make();
    gated_child child(4);
    tells_its_end waiting;
    tells_its_end added;
    const std::weak_ptr<int> first = waiting.alive;
    const std::weak_ptr<int> second = added.alive;
    watcher->async_wait(child.pid(), asio::bind_executor(throwing_executor(), std::move(waiting)));
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(throwing_executor(), std::move(added)));
    auto other = watcher->async_wait(child.pid(), asio::use_future);
    child.let_go();
    BOOST_TEST(other.get().returncode() == 4);
    BOOST_TEST(eventually([&] { return first.expired() && second.expired(); }));
    BOOST_TEST(
        eventually([&] { return log.said().find("thrown by an executor") != std::string::npos; }));
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
}

// The exit was reaped for another watcher, and the end kept by this one, which is detached.
BOOST_AUTO_TEST_CASE_TEMPLATE(cancelling_what_is_kept_and_has_ended, Setup, setups)
{
    const child_ledger ledger;
    const log_capture log;
    loops::event_loop loop;
    asio::io_context other;
    const auto watcher = Setup::make();
    watcher->attach_loop(nullptr);
    gated_child child(5);
    asio::cancellation_signal signal;
    const recorder kept;
    by_callback way;
    watcher->async_wait(child.pid(), asio::bind_cancellation_slot(signal.slot(), kept));
    way.start(*watcher, other, child.pid());
    child.let_go();
    Setup::run(other);
    BOOST_TEST(kept.result->calls() == 0U);
    asio::post(loop, [&] { signal.emit(asio::cancellation_type::total); });
    Setup::run(loop);
    BOOST_TEST(kept.result->calls() == 1U);
    BOOST_TEST(!kept.result->ec());
    BOOST_TEST(kept.result->exit().returncode() == 5);
}

// A hook that hands over to a thread that uses the watcher.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_log_hook_is_called_with_nothing_held, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    gated_child child;
    gated_child second;
    std::atomic<int> told{0};
    const auto before = loops::set_log_hook([&](std::string_view) {
        auto other = std::async(std::launch::async,
            [&] { return watcher->remove_child_handler(second.pid()) || watcher->is_active(); });
        told += other.wait_for(patience) == std::future_status::ready ? 1 : 100;
    });
    watcher->attach_loop(nullptr);
    watcher->add_child_handler(child.pid(), [](pid_t, int) {});
    loops::set_log_hook(before);
    BOOST_TEST(told == 1);
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    child.reap();
    second.reap();
}
