// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_cancellation

#include <loops/event_loop.hpp>
#include <loops/log.hpp>

#include "support/child_watchers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/experimental/awaitable_operators.hpp>
#endif
#include <boost/test/unit_test.hpp>

using namespace test;

namespace {

constexpr asio::cancellation_type types[] = {asio::cancellation_type::terminal,
    asio::cancellation_type::partial, asio::cancellation_type::total};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(each_type, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    for (const auto type : types)
    {
        gated_child child(4);
        asio::cancellation_signal signal;
        const recorder record;
        watcher->async_wait(child.pid(), asio::bind_cancellation_slot(signal.slot(),
                                             asio::bind_executor(loop.get_executor(), record)));
        loop.poll();
        signal.emit(type);
        BOOST_TEST(record.result->calls() == 0U); // not inline
        Setup::run(loop);
        BOOST_TEST(record.result->calls() == 1U);
        BOOST_TEST((record.result->ec() == asio::error::operation_aborted));
        signal.emit(type); // too late for anything

        // Neither signalled nor reaped: it may be waited for again.
        const recorder again;
        watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), again));
        child.let_go();
        Setup::run(loop);
        BOOST_TEST(again.result->exit().returncode() == 4);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_of_several_waits, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    gated_child child(4);
    asio::cancellation_signal signal;
    const recorder cancelled;
    by_callback way;
    const auto before = way.start(*watcher, loop, child.pid());
    watcher->async_wait(child.pid(), asio::bind_cancellation_slot(signal.slot(),
                                         asio::bind_executor(loop.get_executor(), cancelled)));
    const auto after = way.start(*watcher, loop, child.pid());
    signal.emit(asio::cancellation_type::total);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST((cancelled.result->ec() == asio::error::operation_aborted));
    BOOST_TEST(before->exit().returncode() == 4);
    BOOST_TEST(after->exit().returncode() == 4);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(once_it_is_queued_it_stands, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const auto watcher = Setup::make();
    gated_child child(4);
    asio::cancellation_signal signal;
    const recorder record;
    by_callback way;
    way.start(*watcher, loop, child.pid());
    watcher->async_wait(child.pid(), asio::bind_cancellation_slot(signal.slot(),
                                         asio::bind_executor(other.get_executor(), record)));
    child.let_go();
    Setup::run(loop); // reaps, and queues the other
    signal.emit(asio::cancellation_type::terminal);
    Setup::run(other);
    BOOST_TEST(!record.result->ec());
    BOOST_TEST(record.result->exit().returncode() == 4);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(while_detached, Setup, setups)
{
    const child_ledger ledger;
    loops::event_loop loop;
    const auto watcher = Setup::make();
    const auto log = loops::set_log_hook([](std::string_view) {});
    watcher->attach_loop(nullptr);
    gated_child child;
    asio::cancellation_signal signal;
    const recorder record;
    watcher->async_wait(child.pid(), asio::bind_cancellation_slot(signal.slot(), record));
    loops::set_log_hook(log);
    asio::post(loop, [&] { signal.emit(asio::cancellation_type::terminal); });
    Setup::run(loop);
    BOOST_TEST((record.result->ec() == asio::error::operation_aborted));
    child.reap();
}

// Few children, many rounds: a wait ends once, by the exit or by the signal, and nothing is lost.
BOOST_AUTO_TEST_CASE_TEMPLATE(cancel_against_exit, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    auto strand = asio::make_strand(loop);
    const auto watcher = Setup::make();
    const std::size_t all = rounds(300);
    for (std::size_t round = 0; round < all; round += 50)
    {
        gated_child child(6);
        for (std::size_t i = 0; i < 50; ++i)
        {
            asio::cancellation_signal signal;
            const recorder record;
            asio::post(strand, [&] {
                watcher->async_wait(child.pid(), asio::bind_cancellation_slot(signal.slot(),
                                                     asio::bind_executor(strand, record)));
            });
            asio::post(strand, [&] { signal.emit(asio::cancellation_type::terminal); });
            if (i == 49)
                child.let_go();
            Setup::run(loop);
            BOOST_TEST(record.result->calls() == 1U);
            if (!record.result->ec())
                BOOST_TEST(record.result->exit().returncode() == 6);
            else if (i == 49)
            {
                by_callback way;
                const auto again = way.start(*watcher, loop, child.pid());
                Setup::run(loop);
                BOOST_TEST(again->exit().returncode() == 6);
            }
        }
    }
}

// The same with a signal that comes while the exit is on its way.
BOOST_AUTO_TEST_CASE_TEMPLATE(cancel_amid_exit, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    auto strand = asio::make_strand(loop);
    const auto watcher = Setup::make();
    std::size_t cancelled = 0;
    for (std::size_t round = 0; round < rounds(60); ++round)
    {
        gated_child child(6);
        asio::cancellation_signal signal;
        const recorder record;
        asio::steady_timer timer(loop, std::chrono::microseconds(round % 20 * 20));
        watcher->async_wait(child.pid(),
            asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(strand, record)));
        timer.async_wait(asio::bind_executor(strand,
            [&](const loops::error_code&) { signal.emit(asio::cancellation_type::terminal); }));
        child.let_go();
        Setup::run(loop);
        BOOST_TEST(record.result->calls() == 1U);
        if (record.result->ec())
        {
            ++cancelled;
            child.reap();
        }
    }
    BOOST_TEST_MESSAGE("cancelled: " << cancelled);
}

#if defined(LOOPS_HAS_COROUTINES)

BOOST_AUTO_TEST_CASE_TEMPLATE(coroutine_with_a_limit, Setup, setups)
{
    using namespace asio::experimental::awaitable_operators;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    gated_child child(3);
    std::size_t index = 9;
    asio::co_spawn(
        asio::make_strand(loop),
        [&]() -> asio::awaitable<void> {
            asio::steady_timer timer(
                co_await asio::this_coro::executor, std::chrono::milliseconds(5));
            const auto first = co_await (watcher->async_wait(child.pid(), asio::use_awaitable) ||
                                         timer.async_wait(asio::use_awaitable));
            index = first.index();
        },
        asio::detached);
    Setup::run(loop);
    BOOST_TEST(index == 1U);
    const int code = child.reap();
    BOOST_TEST((code == 3 || reaps_everyone()));
}

#endif
