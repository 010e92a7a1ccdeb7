// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_handlers

#include <loops/event_loop.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <map>
#include <stdexcept>

using namespace test;
using loops::error;

namespace {

// What a handler of the form (pid, returncode) was called with.
struct calls
{
    std::mutex mutex;
    std::map<pid_t, std::vector<int>> codes;

    auto handler()
    {
        return [this](pid_t pid, int code) {
            const std::lock_guard lock(mutex);
            codes[pid].push_back(code);
        };
    }
};

// Tells whether it was destroyed.
struct tracked
{
    std::shared_ptr<int> alive;
    std::atomic<int>* count;

    void operator()(pid_t, int) const { ++*count; }
};

template <class T>
struct counting_allocator
{
    using value_type = T;
    std::atomic<int>* live;

    explicit counting_allocator(std::atomic<int>& count) : live(&count) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) : live(other.live)
    {}
    T* allocate(std::size_t n)
    {
        ++*live;
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* p, std::size_t n)
    {
        --*live;
        std::allocator<T>().deallocate(p, n);
    }
    bool operator==(const counting_allocator& other) const { return live == other.live; }
    bool operator!=(const counting_allocator& other) const { return live != other.live; }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(both_forms, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    calls called;
    const recorder record;
    const pid_t first = child_that_exits(7);
    const pid_t second = child_that_dies_of(SIGTERM);
    const pid_t third = child_that_exits(8);
    watcher->add_child_handler(first, called.handler());
    watcher->add_child_handler(second, called.handler());
    watcher->add_child_handler(third, record);
    Setup::run(loop);
    BOOST_TEST(called.codes[first] == std::vector<int>{7});
    BOOST_TEST(called.codes[second] == std::vector<int>{-SIGTERM});
    BOOST_TEST(record.result->exit().returncode() == 8);
    BOOST_TEST(!watcher->remove_child_handler(first));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(errors_of_both_forms, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    calls called;
    const recorder record;
    gated_child child;
    watcher->add_child_handler(child.pid(), called.handler());
    watcher->add_child_handler(1, record);
    child.reap();
    Setup::run(loop);
    BOOST_TEST(called.codes[child.pid()] == std::vector<int>{loops::returncode_lost});
    BOOST_TEST((record.result->ec() == error::not_a_child));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bad_input, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    std::atomic<int> count{0};
    tracked handler{std::make_shared<int>(), &count};
    const std::weak_ptr<int> alive = handler.alive;
    loops::error_code ec;
    check_error([&] { watcher->add_child_handler(0, handler); }, asio::error::invalid_argument);
    watcher->add_child_handler(-1, std::move(handler), ec);
    BOOST_TEST((ec == asio::error::invalid_argument));
    handler.alive.reset();
    BOOST_TEST(alive.expired());
    BOOST_TEST(!watcher->remove_child_handler(0));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_second_handler_replaces_the_first, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    std::atomic<int> count{0};
    tracked first{std::make_shared<int>(), &count};
    const std::weak_ptr<int> alive = first.alive;
    calls called;
    gated_child child(2);
    watcher->add_child_handler(child.pid(), std::move(first));
    loop.poll();
    BOOST_TEST(!alive.expired());
    watcher->add_child_handler(child.pid(), called.handler());
    BOOST_TEST(alive.expired());
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(count == 0);
    BOOST_TEST(called.codes[child.pid()] == std::vector<int>{2});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_refused_replacement_changes_nothing, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    calls called;
    gated_child child(2);
    watcher->add_child_handler(child.pid(), called.handler());
    loops::error_code ec;
    {
        loops::event_loop closed;
        auto executor = closed.get_executor();
        auto elsewhere = Setup::make();
        closed.close();
        check_error([&] { elsewhere->attach_loop(closed); }, error::loop_closed);
    }
    watcher->add_child_handler(
        0, [](pid_t, int) {}, ec);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(called.codes[child.pid()] == std::vector<int>{2});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(removed_while_the_child_lives, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    calls called;
    gated_child child(3);
    watcher->add_child_handler(child.pid(), called.handler());
    loop.poll();
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
    loop.restart();
    BOOST_TEST(loop.poll() <= 1U); // nothing keeps the loop
    BOOST_TEST(loop.stopped());
    const recorder record;
    watcher->async_wait(child.pid(), record);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(called.codes.empty());
    BOOST_TEST(record.result->exit().returncode() == 3);
}

// The exit is reaped and queued when the handler goes: it is kept for the next registration.
BOOST_AUTO_TEST_CASE_TEMPLATE(removed_when_it_is_queued_already, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const auto watcher = Setup::make();
    calls called;
    gated_child child(4);
    const recorder reaping;
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), called.handler()));
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), reaping));
    child.let_go();
    Setup::run(loop); // reaps, and queues the handler on the other loop
    BOOST_TEST(reaping.result->exit().returncode() == 4);
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    Setup::run(other);
    BOOST_TEST(called.codes.empty());

    const recorder late;
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), late));
    Setup::run(loop);
    BOOST_TEST(!late.result->ec());
    BOOST_TEST(late.result->exit().returncode() == 4);
    const recorder too_late;
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), too_late));
    Setup::run(loop);
    BOOST_TEST((too_late.result->ec() == error::not_a_child));
}

// It left the watcher and waits in a strand's queue: removing it works even then.
BOOST_AUTO_TEST_CASE_TEMPLATE(removed_when_it_waits_in_a_strand, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    auto strand = asio::make_strand(loop);
    const auto watcher = Setup::make();
    calls called;
    const pid_t pid = child_that_exits(4);
    until_dead(pid);
    std::atomic<bool> removed{false};
    watcher->add_child_handler(pid, asio::bind_executor(strand, called.handler()));
    const recorder other;
    asio::post(strand, [&] {
        // Inside of the strand, so that the handler queues behind this.
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
        while (std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        removed = watcher->remove_child_handler(pid);
    });
    Setup::run(loop);
    BOOST_TEST((called.codes.empty() || !removed));
    if (removed)
    {
        watcher->async_wait(pid, asio::bind_executor(loop.get_executor(), other));
        Setup::run(loop);
        BOOST_TEST(other.result->exit().returncode() == 4);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_kept_exit_gives_way_to_a_live_child, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const auto watcher = Setup::make();
    gated_child child(4);
    const recorder reaping;
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), [](pid_t, int) {}));
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), reaping));
    child.let_go();
    Setup::run(loop);
    watcher->remove_child_handler(child.pid());
    // A handler takes a kept exit as a wait does.
    calls called;
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(loop.get_executor(), called.handler()));
    Setup::run(loop);
    BOOST_TEST(called.codes[child.pid()] == std::vector<int>{4});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(close_ends_handlers, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    calls called;
    const recorder record;
    std::atomic<int> count{0};
    tracked short_form{std::make_shared<int>(), &count};
    const std::weak_ptr<int> alive = short_form.alive;
    gated_child first;
    gated_child second;
    watcher->add_child_handler(first.pid(), std::move(short_form));
    watcher->add_child_handler(second.pid(), record);
    watcher->close();
    loops::error_code ec;
    watcher->add_child_handler(first.pid(), called.handler(), ec);
    BOOST_TEST((ec == error::watcher_closed));
    check_error([&] { watcher->add_child_handler(first.pid(), called.handler()); },
        error::watcher_closed, std::to_string(first.pid()));
    Setup::run(loop);
    BOOST_TEST(count == 0);
    BOOST_TEST(alive.expired());
    BOOST_TEST((record.result->ec() == asio::error::operation_aborted));
    first.reap();
    second.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(associations, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    auto strand = asio::make_strand(other);
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    std::atomic<int> live{0};
    std::atomic<int> right{0};
    gated_child child;
    watcher->add_child_handler(child.pid(),
        asio::bind_executor(
            strand, asio::bind_allocator(counting_allocator<void>(live),
                        [&](pid_t, int) { right += strand.running_in_this_thread() ? 1 : 0; })));
    BOOST_TEST(live > 0);
    child.let_go();
    Setup::run(other);
    BOOST_TEST(right == 1);
    BOOST_TEST(live == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(handlers_that_throw, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    std::atomic<int> count{0};
    for (int i = 0; i < 3; ++i)
    {
        watcher->add_child_handler(child_that_exits(0), [&](pid_t, int) {
            ++count;
            throw std::runtime_error("thrown by a handler");
        });
    }
    for (int i = 0; i < 4; ++i)
    {
        try
        {
            loop.run();
        }
        catch (const std::runtime_error&)
        {}
    }
    BOOST_TEST(count == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_adds_the_next, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    std::atomic<int> sum{0};
    std::function<void(int)> next = [&](int left) {
        watcher->add_child_handler(child_that_exits(left), [&, left](pid_t, int code) {
            sum += code;
            if (left > 1)
                next(left - 1);
        });
    };
    next(10);
    Setup::run(loop);
    BOOST_TEST(sum == 55);
}

// Threads that add, replace and remove while children end: each handler runs once or was removed.
BOOST_AUTO_TEST_CASE_TEMPLATE(add_and_remove_at_a_time, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    for (std::size_t round = 0; round < rounds(30); ++round)
    {
        gated_child child(1);
        std::atomic<int> runs{0};
        std::atomic<int> removals{0};
        const auto handler = [&](pid_t, int) { ++runs; };
        watcher->add_child_handler(child.pid(), handler);
        std::thread remover(
            [&] { removals += watcher->remove_child_handler(child.pid()) ? 1 : 0; });
        child.let_go();
        Setup::run(loop);
        remover.join();
        BOOST_TEST(runs + removals == 1);
        if (removals == 1)
        {
            const recorder late; // the status is still to be had, from the kernel or kept
            watcher->async_wait(child.pid(), late);
            Setup::run(loop);
            BOOST_TEST(late.result->exit().returncode() == 1);
        }
    }
}
