// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE other_watchers

#include <loops/backend.hpp>
#include <loops/event_loop.hpp>
#include <loops/watcher/descriptor_watcher.hpp>
#include <loops/watcher/file_watcher.hpp>
#include <loops/watcher/process_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/folder.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;
namespace asio = boost::asio;

// What holds for the watchers of descriptors, files and processes alike.

namespace {

// A watcher, and what has a wait of its come to its end.
class of_descriptors
{
public:
    using watcher_type = loops::descriptor_watcher;

    ~of_descriptors() { ::close(event_); }

    template <class Token>
    auto wait(watcher_type& watcher, Token&& token)
    {
        return watcher.async_wait(
            event_, loops::descriptor_events::read, std::forward<Token>(token));
    }
    void prepare(watcher_type&) {}
    void cause(watcher_type&) const
    {
        const std::uint64_t one = 1;
        require(::write(event_, &one, sizeof one) == sizeof one, "write");
    }
    void settle() const
    {
        std::uint64_t taken = 0;
        require(::read(event_, &taken, sizeof taken) == sizeof taken, "read");
    }

private:
    const int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

class of_files
{
public:
    using watcher_type = loops::file_watcher;

    template <class Token>
    auto wait(watcher_type& watcher, Token&& token)
    {
        return watcher.async_wait(std::forward<Token>(token));
    }
    void prepare(watcher_type& watcher) { watcher.add(in_.path()); }
    void cause(watcher_type&) { in_.make(std::to_string(++count_)); }
    void settle() const {}

private:
    const folder in_;
    int count_ = 0;
};

class of_processes
{
public:
    using watcher_type = loops::process_watcher;

    template <class Token>
    auto wait(watcher_type& watcher, Token&& token)
    {
        return watcher.async_wait(std::forward<Token>(token));
    }
    void prepare(watcher_type&) {}
    void cause(watcher_type& watcher)
    {
        child_ = child_that_exits(0);
        watcher.add(child_);
    }
    void settle() const { ::waitpid(child_, nullptr, 0); }

private:
    pid_t child_ = -1;
};

using kinds = boost::mpl::list<of_descriptors, of_files, of_processes>;

// How a wait ended.
struct ended
{
    std::atomic<int> calls{0};
    loops::error_code ec;

    auto handler()
    {
        return [this](loops::error_code how, const auto&) {
            ec = how;
            ++calls;
        };
    }
};

void run(asio::io_context& loop)
{
    loop.restart();
    loop.run();
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wait_ends_once, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    asio::io_context loop;
    typename Kind::watcher_type watcher(loop);
    kind.prepare(watcher);
    for (int round = 0; round != 3; ++round)
    {
        ended before;
        ended after;
        kind.wait(watcher, before.handler());
        loop.restart();
        loop.poll();
        BOOST_TEST(before.calls == 0);
        kind.cause(watcher);
        BOOST_TEST(before.calls == 0);
        run(loop);
        BOOST_TEST(before.calls == 1);
        BOOST_TEST(!before.ec, before.ec.message());
        kind.settle();
        // What has happened before the wait ends it as well; not inside of the call.
        kind.cause(watcher);
        kind.wait(watcher, after.handler());
        BOOST_TEST(after.calls == 0);
        run(loop);
        BOOST_TEST(after.calls == 1);
        BOOST_TEST(before.calls == 1);
        kind.settle();
    }
    BOOST_TEST(loop.stopped()); // nothing keeps it
}

BOOST_AUTO_TEST_CASE_TEMPLATE(tokens, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    loops::event_loop loop;
    typename Kind::watcher_type watcher(loop);
    kind.prepare(watcher);
    kind.cause(watcher);
    auto future = kind.wait(watcher, asio::use_future);
    loop.run();
    BOOST_CHECK_NO_THROW(future.get());
    kind.settle();
    kind.cause(watcher);
    ended by_deferred;
    kind.wait(watcher, asio::deferred)(by_deferred.handler());
    loop.restart();
    loop.run();
    BOOST_TEST(by_deferred.calls == 1);
    kind.settle();
#if defined(LOOPS_HAS_COROUTINES)
    bool awaited = false;
    kind.cause(watcher);
    asio::co_spawn(
        loop,
        [&]() -> asio::awaitable<void> {
            co_await kind.wait(watcher, asio::use_awaitable);
            awaited = true;
        },
        asio::detached);
    loop.restart();
    loop.run();
    BOOST_TEST(awaited);
    kind.settle();
#endif
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_associated_executor, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    asio::io_context loop;
    asio::io_context other;
    const auto strand = asio::make_strand(other);
    typename Kind::watcher_type watcher(loop);
    kind.prepare(watcher);
    ended end;
    bool right = false;
    kind.wait(watcher, asio::bind_executor(strand, [&](loops::error_code ec, const auto& what) {
        right = strand.running_in_this_thread();
        end.handler()(ec, what);
    }));
    kind.cause(watcher);
    loop.run();
    BOOST_TEST(end.calls == 0);
    other.run(); // it had to wait for that
    BOOST_TEST(end.calls == 1);
    BOOST_TEST(right);
    kind.settle();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancellation, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    asio::io_context loop;
    typename Kind::watcher_type watcher(loop);
    kind.prepare(watcher);
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total})
    {
        asio::cancellation_signal cancel;
        ended cancelled;
        ended other;
        kind.wait(watcher, asio::bind_cancellation_slot(cancel.slot(), cancelled.handler()));
        kind.wait(watcher, other.handler());
        cancel.emit(type);
        BOOST_TEST(cancelled.calls == 0);
        loop.restart();
        loop.poll();
        BOOST_TEST(cancelled.calls == 1);
        BOOST_TEST((cancelled.ec == asio::error::operation_aborted));
        BOOST_TEST(other.calls == 0);
        kind.cause(watcher);
        run(loop);
        BOOST_TEST(other.calls == 1);
        BOOST_TEST(!other.ec, other.ec.message());
        cancel.emit(type);
        kind.settle();
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closing, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    asio::io_context loop;
    typename Kind::watcher_type watcher(loop);
    kind.prepare(watcher);
    ended pending;
    ended late;
    kind.wait(watcher, pending.handler());
    BOOST_TEST(watcher.is_active());
    watcher.close();
    watcher.close();
    BOOST_TEST(!watcher.is_active());
    kind.wait(watcher, asio::bind_executor(loop.get_executor(), late.handler()));
    BOOST_TEST(pending.calls + late.calls == 0);
    run(loop);
    BOOST_TEST((pending.ec == asio::error::operation_aborted));
    BOOST_TEST((late.ec == loops::error::watcher_closed));
    loops::error_code ec;
    watcher.attach_loop(loop, ec);
    BOOST_TEST((ec == loops::error::watcher_closed));
    check_error([&] { watcher.attach_loop(loop); }, loops::error::watcher_closed, "attaching");
}

// No event is lost by that, whether it came before the one loop took over, or while there was none, or after.
BOOST_AUTO_TEST_CASE_TEMPLATE(another_loop_takes_over, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    asio::io_context first;
    asio::io_context second;
    typename Kind::watcher_type watcher;
    BOOST_TEST(!watcher.is_active());
    kind.prepare(watcher);
    for (int round = 0; round != 3; ++round)
    {
        ended end;
        watcher.attach_loop(first);
        kind.wait(watcher, end.handler());
        if (round == 0)
            kind.cause(watcher);
        if (round == 1)
        {
            watcher.attach_loop(nullptr);
            BOOST_TEST(!watcher.is_active());
            kind.cause(watcher);
        }
        watcher.attach_loop(second);
        BOOST_TEST(watcher.is_active());
        if (round == 2)
            kind.cause(watcher);
        run(first); // it has nothing to do any more
        BOOST_TEST(end.calls == 0);
        run(second);
        BOOST_TEST(end.calls == 1);
        BOOST_TEST(!end.ec, end.ec.message());
        kind.settle();
    }
    loops::event_loop closed;
    closed.close();
    check_error([&] { watcher.attach_loop(closed); }, loops::error::loop_closed);
    BOOST_TEST(watcher.is_active());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(its_loop_is_destroyed, Kind, kinds)
{
    const child_ledger ledger;
    Kind kind;
    typename Kind::watcher_type watcher;
    kind.prepare(watcher);
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> alive = held;
    {
        asio::io_context loop;
        watcher.attach_loop(loop);
        kind.wait(watcher, [held](loops::error_code, const auto&) { std::abort(); });
        held.reset();
        loop.poll();
        BOOST_TEST(!alive.expired());
    }
    BOOST_TEST(alive.expired());
    BOOST_TEST(!watcher.is_active());
    asio::io_context next;
    watcher.attach_loop(next);
    ended end;
    kind.wait(watcher, end.handler());
    kind.cause(watcher);
    run(next);
    BOOST_TEST(end.calls == 1);
    kind.settle();
}

// Four threads run two loops, to which the watcher is attached by turns, while others wait and cancel.
BOOST_AUTO_TEST_CASE_TEMPLATE(threads, Kind, kinds)
{
    const child_ledger ledger;
    constexpr int rounds = 60;
    Kind kind;
    asio::io_context loops_of_it[2];
    typename Kind::watcher_type watcher(loops_of_it[0]);
    kind.prepare(watcher);
    auto busy = std::make_optional(asio::make_work_guard(loops_of_it[0]));
    auto busy_too = std::make_optional(asio::make_work_guard(loops_of_it[1]));
    std::vector<std::thread> runners;
    for (asio::io_context& each : loops_of_it)
        for (int i = 0; i != 2; ++i)
            runners.emplace_back([&each] { each.run(); });
    std::atomic<bool> over{false};
    std::thread canceller([&] {
        while (!over)
        {
            asio::cancellation_signal cancel;
            ended end;
            kind.wait(watcher, asio::bind_cancellation_slot(cancel.slot(), end.handler()));
            cancel.emit(asio::cancellation_type::terminal);
            while (end.calls == 0)
                std::this_thread::yield();
        }
    });
    // Which may take the event away; then there is another one.
    int turns = 0;
    for (int round = 0; round != rounds; ++round)
    {
        ended end;
        kind.wait(watcher, end.handler());
        while (end.calls == 0)
        {
            watcher.attach_loop(loops_of_it[++turns % 2]);
            kind.cause(watcher);
            eventually(
                [&, end_of = std::chrono::steady_clock::now() + std::chrono::milliseconds(50)] {
                    return end.calls != 0 || std::chrono::steady_clock::now() > end_of;
                });
            kind.settle();
        }
        BOOST_TEST(end.calls == 1);
    }
    over = true;
    canceller.join();
    busy.reset();
    busy_too.reset();
    for (std::thread& each : runners)
        each.join();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(forked, Kind, kinds)
{
    if (loops::backend() == loops::backend_type::io_uring)
        return skipped("other_watchers/forked",
            "Asio 1.81 shares the ring with a forked child, which takes the parent's operations");
    const child_ledger ledger;
    Kind kind;
    asio::io_context loop;
    std::optional<typename Kind::watcher_type> watcher(std::in_place, loop);
    kind.prepare(*watcher);
    ended end;
    kind.wait(*watcher, end.handler());
    loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        loop.notify_fork(asio::io_context::fork_child);
        ended late;
        kind.wait(*watcher, asio::bind_executor(loop.get_executor(), late.handler()));
        loops::error_code ec;
        watcher->attach_loop(loop, ec);
        loop.restart();
        loop.poll();
        const bool is_active = watcher->is_active();
        watcher.reset();
        loop.poll();
        return (late.ec == loops::error::forked ? 0 : 1) + (ec == loops::error::forked ? 0 : 2) +
               (is_active ? 4 : 0) + (end.calls == 0 ? 0 : 8);
    });
    loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    // A child that tells no loop, and destroys what it inherited, takes nothing from the parent.
    BOOST_TEST(in_forked_child([&] {
        watcher.reset();
        return 0;
    }) == 0);
    kind.cause(*watcher);
    run(loop);
    BOOST_TEST(end.calls == 1);
    kind.settle();
}
