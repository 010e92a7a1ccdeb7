// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_state_ends

#include <loops/event_loop.hpp>

#include "support/child_outcomes.hpp"
#include "support/child_states.hpp"
#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <tuple>
#include <utility>

using namespace test;
using loops::error;

// How waits for a change of state end where there is none.

namespace {

thread_local bool registering = false;

// A handler that is to be destroyed uncalled, and tells when it is.
struct tells_its_end_of_state
{
    std::shared_ptr<int> alive = std::make_shared<int>();
    void operator()(loops::error_code, const loops::child_state&) const { std::abort(); }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(not_supported, Setup, state_setups)
{
    if (sees_states())
        return skipped("child_watcher_state_ends/not_supported", "this watcher sees stops");
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    gated_child child;
    const auto refused = next_state<Setup>(*watcher, loop, child.pid());
    BOOST_TEST(refused->calls == 1U);
    BOOST_TEST((refused->ec == boost::system::errc::operation_not_supported));
    BOOST_TEST(refused->state.pid() == 0);
    child.reap();
}

// By the loop that delivers whatever the watcher has to tell.
BOOST_AUTO_TEST_CASE_TEMPLATE(not_supported_on_the_attached_loop, Setup, setups)
{
    if (sees_states())
        return skipped("child_watcher_state_ends/not_supported_on_the_attached_loop",
            "this watcher sees stops");
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    gated_child child;
    std::atomic<int> calls{0};
    std::atomic<int> right{0};
    watcher->async_wait_state(child.pid(), [&](loops::error_code ec, const loops::child_state&) {
        const bool here = loop.get_executor().running_in_this_thread();
        right += here && ec == boost::system::errc::operation_not_supported ? 1 : 0;
        ++calls;
    });
    Setup::run(loop);
    BOOST_TEST(eventually([&] { return calls == 1; }));
    BOOST_TEST(right == 1);
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(refused, Setup, state_setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    for (const pid_t pid : {0, -1})
        check_error([&] { watcher->async_wait_state(pid, asio::use_future); },
            asio::error::invalid_argument, std::to_string(pid));
    if (sees_states())
    {
        const auto none = next_state<Setup>(*watcher, loop, 1);
        BOOST_TEST((none->ec == error::not_a_child));
        BOOST_TEST(none->state.pid() == 0);
        BOOST_TEST(!none->state.ended());
    }
    watcher->close();
    gated_child child;
    const auto late = next_state<Setup>(*watcher, loop, child.pid());
    BOOST_TEST((late->ec == error::watcher_closed));
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closed, Setup, state_setups)
{
    if (sees_none("child_watcher_state_ends/closed"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    gated_child child;
    const auto first = way.start(*watcher, loop, child.pid());
    const auto second = way.start(*watcher, loop, child.pid());
    loop.poll();
    watcher->close();
    Setup::run(loop);
    way.finish();
    BOOST_TEST((first->ec == asio::error::operation_aborted));
    BOOST_TEST((second->ec == asio::error::operation_aborted));
    BOOST_TEST(first->calls + second->calls == 2U);
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(somebody_took_the_status, Setup, state_setups)
{
    if (sees_none("child_watcher_state_ends/somebody_took_the_status"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    gated_child child(4);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    const int taken = child.reap();
    Setup::run(loop);
    way.finish();
    BOOST_TEST(result->calls == 1U);
    if (taken < 0)
        BOOST_TEST(result->state.exit().returncode() == 4);
    else
        BOOST_TEST((result->ec == error::child_status_lost));
}

// Somebody else took the report of a stop: the wait goes on.
BOOST_AUTO_TEST_CASE_TEMPLATE(somebody_took_the_stop, Setup, state_setups)
{
    if (sees_none("child_watcher_state_ends/somebody_took_the_stop"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    const pid_t pid = child_that_pauses();
    ::kill(pid, SIGSTOP);
    int status = 0;
    BOOST_TEST(::waitpid(pid, &status, WUNTRACED) == pid);
    const auto result = way.start(*watcher, loop, pid);
    loop.poll();
    ::kill(pid, SIGKILL);
    Setup::run(loop);
    way.finish();
    BOOST_TEST(result->calls == 1U);
    BOOST_TEST(result->state.exit().term_signal() == SIGKILL);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelled, Setup, setups)
{
    if (sees_none("child_watcher_state_ends/cancelled"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    by_callback ends;
    state_by_callback states;
    gated_child child(4);
    const auto other = states.start(*watcher, loop, child.pid());
    const auto end = ends.start(*watcher, loop, child.pid());
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total})
    {
        asio::cancellation_signal signal;
        const auto result = std::make_shared<told>();
        watcher->async_wait_state(
            child.pid(), asio::bind_cancellation_slot(signal.slot(),
                             [result](loops::error_code ec, const loops::child_state& state) {
                                 result->end(ec, state);
                             }));
        signal.emit(asio::cancellation_type::none);
        loop.restart();
        loop.poll();
        BOOST_TEST(result->calls == 0U);
        signal.emit(type);
        BOOST_TEST(result->calls == 0U); // never inline
        loop.restart();
        while (!result->has_ended() && loop.run_one() > 0)
        {}
        BOOST_TEST((result->ec == asio::error::operation_aborted));
        signal.emit(type); // too late
    }
    // The others, and the child, do not mind.
    ::kill(child.pid(), SIGSTOP);
    while (!other->has_ended() && loop.run_one() > 0)
    {}
    BOOST_TEST(other->state.stopped());
    ::kill(child.pid(), SIGCONT);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(is_true(*end, 4));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(detached, Setup, setups)
{
    if (sees_none("child_watcher_state_ends/detached"))
        return;
    const child_ledger ledger;
    const log_capture log;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    const auto pid = child_that_pauses();
    const auto result = std::make_shared<told>();
    const auto record = [result] {
        return [result](loops::error_code ec, const loops::child_state& state) {
            result->end(ec, state);
        };
    };
    watcher->async_wait_state(pid, record());
    loop.poll();
    watcher->attach_loop(nullptr);
    ::kill(pid, SIGSTOP);
    Setup::run(loop);
    BOOST_TEST(result->calls == 0U);
    watcher->attach_loop(loop);
    Setup::run(loop);
    BOOST_TEST(result->calls == 1U);
    BOOST_TEST(result->state.stopped());
    watcher->async_wait_state(pid, record());
    ::kill(pid, SIGKILL);
    Setup::run(loop);
    BOOST_TEST(result->state.exit().term_signal() == SIGKILL);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_loop_goes, Setup, setups)
{
    if (sees_none("child_watcher_state_ends/the_loop_goes"))
        return;
    const child_ledger ledger;
    const auto watcher = Setup::make();
    gated_child child(4);
    tells_its_end_of_state handler;
    const std::weak_ptr<int> alive = handler.alive;
    {
        asio::io_context loop;
        watcher->async_wait_state(
            child.pid(), asio::bind_executor(loop.get_executor(), std::move(handler)));
        loop.poll();
        BOOST_TEST(!alive.expired());
    }
    BOOST_TEST(alive.expired());
    asio::io_context other;
    child.let_go();
    state_by_callback way;
    const auto result = way.start(*watcher, other, child.pid());
    Setup::run(other);
    BOOST_TEST(result->state.ended());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(never_inline, Setup, setups)
{
    const child_ledger ledger;
    loops::event_loop loop;
    const auto watcher = Setup::make();
    const pid_t pid = child_that_pauses();
    ::kill(pid, SIGSTOP);
    until(pid, WSTOPPED);
    std::atomic<int> calls{0};
    std::atomic<int> inline_calls{0};
    const auto count = [&] {
        return [&](loops::error_code, const loops::child_state&) {
            ++calls;
            inline_calls += registering ? 1 : 0;
        };
    };
    asio::post(loop, [&] {
        registering = true;
        watcher->async_wait_state(pid, asio::bind_executor(loop.get_executor(), count()));
        watcher->async_wait_state(1, asio::bind_executor(loop.get_executor(), count()));
        watcher->close();
        watcher->async_wait_state(pid, count());
        registering = false;
    });
    Setup::run(loop);
    BOOST_TEST(calls == 3);
    BOOST_TEST(inline_calls == 0);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(tokens, Setup, setups)
{
    if (sees_none("child_watcher_state_ends/tokens"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    const pid_t pid = child_that_pauses();
    auto operation = watcher->async_wait_state(pid, asio::deferred);
    BOOST_TEST(loop.run() == 0U); // it was not started
    ::kill(pid, SIGSTOP);
    std::atomic<int> signal{0};
    std::move(operation)(
        [&](loops::error_code, const loops::child_state& state) { signal = state.stop_signal(); });
    Setup::run(loop);
    BOOST_TEST(signal == SIGSTOP);

    auto both = watcher->async_wait_state(pid, asio::as_tuple(asio::deferred));
    ::kill(pid, SIGKILL);
    std::move(both)([&](const std::tuple<loops::error_code, loops::child_state>& ended) {
        signal = std::get<1>(ended).exit().term_signal();
    });
    Setup::run(loop);
    BOOST_TEST(signal == SIGKILL);

    auto refused =
        watcher->async_wait_state(1, asio::bind_executor(loop.get_executor(), asio::use_future));
    Setup::run(loop);
    check_error([&] { refused.get(); }, error::not_a_child);
}
