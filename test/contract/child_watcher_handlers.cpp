// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_handlers

#include <loops/event_loop.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/handler_calls.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <stdexcept>

using namespace test;
using loops::error;

namespace {

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
    handler_calls called;
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
    if (nobody_else_reaps("child_watcher_handlers/errors_of_both_forms"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    handler_calls called;
    const recorder record;
    gated_child child;
    watcher->add_child_handler(child.pid(), called.handler());
    watcher->add_child_handler(1, record);
    const bool taken = child.reap() >= 0;
    Setup::run(loop);
    const auto codes = called.codes[child.pid()];
    BOOST_REQUIRE(codes.size() == 1U);
    if (!taken)
        BOOST_TEST(codes.front() == 0);
    else if (!has_descriptors() || codes.front() != 0)
        BOOST_TEST(codes.front() == loops::returncode_lost);
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
    handler_calls called;
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

BOOST_AUTO_TEST_CASE_TEMPLATE(removed_while_the_child_lives, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    handler_calls called;
    gated_child child(3);
    watcher->add_child_handler(child.pid(), called.handler());
    loop.poll();
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    BOOST_TEST(!watcher->remove_child_handler(child.pid()));
    loop.restart();
    loop.poll();
    BOOST_TEST(loop.stopped()); // nothing keeps the loop
    const recorder record;
    watcher->async_wait(child.pid(), record);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(called.codes.empty());
    BOOST_TEST(record.result->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(close_ends_handlers, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    handler_calls called;
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
