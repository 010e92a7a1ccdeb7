// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE async_invoke
#include <loops/async_invoke.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using test::code_of;

namespace {

// Counts the bytes that are in use.
template <class T>
struct counting_allocator
{
    using value_type = T;

    explicit counting_allocator(std::size_t& bytes) : in_use(&bytes) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) : in_use(other.in_use)
    {}

    T* allocate(std::size_t n)
    {
        *in_use += n * sizeof(T);
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* p, std::size_t n)
    {
        *in_use -= n * sizeof(T);
        std::allocator<T>().deallocate(p, n);
    }

    friend bool operator==(const counting_allocator& a, const counting_allocator& b)
    {
        return a.in_use == b.in_use;
    }
    friend bool operator!=(const counting_allocator& a, const counting_allocator& b)
    {
        return !(a == b);
    }

    std::size_t* in_use;
};

} // namespace

BOOST_AUTO_TEST_CASE(nothing_of_a_handlers_memory_is_left_in_its_cancellation_slot)
{
    event_loop loop;
    asio::cancellation_signal task;
    asio::cancellation_signal call;
    std::size_t in_use = 0;
    int ended = 0;
    const auto end = [&](asio::cancellation_signal& signal) {
        return asio::bind_cancellation_slot(
            signal.slot(), asio::bind_allocator(counting_allocator<char>(in_use),
                               [&](const std::exception_ptr&) { ++ended; }));
    };
    loops::spawn(
        loop.get_executor(), [](auto done) { done(); }, end(task));
    loops::async_invoke(
        loop, [] {}, end(call));
    BOOST_TEST(in_use > 0U);
    loop.run();
    BOOST_TEST(ended == 2);
    BOOST_TEST(in_use == 0U);
    task.emit(asio::cancellation_type::terminal);
    call.emit(asio::cancellation_type::terminal);
}

BOOST_AUTO_TEST_CASE(an_invoked_function_is_gone_before_the_completion)
{
    event_loop here;
    event_loop there;
    bool ended = false;
    bool ended_before = false;
    struct looker
    {
        event_loop* at;
        bool* ended;
        bool* ended_before;

        looker(event_loop& loop, bool& end, bool& before)
            : at(&loop), ended(&end), ended_before(&before)
        {}
        looker(looker&& other) noexcept
            : at(std::exchange(other.at, nullptr)),
              ended(other.ended),
              ended_before(other.ended_before)
        {}
        looker& operator=(looker&&) = delete;

        // Whatever has been sent on by now runs now.
        ~looker()
        {
            if (at == nullptr)
                return;
            at->poll();
            *ended_before = *ended;
        }

        int operator()() const { return 1; }
    };
    loops::async_invoke(there, looker(here, ended, ended_before),
        asio::bind_executor(
            here.get_executor(), [&](const std::exception_ptr&, int) { ended = true; }));
    there.run();
    here.run();
    BOOST_TEST(ended);
    BOOST_TEST(!ended_before);
}

BOOST_AUTO_TEST_CASE(invoke_returns_results_and_exceptions_on_the_callers_executor)
{
    event_loop here("here");
    event_loop there("there");
    auto work = asio::make_work_guard(there);
    std::thread other([&] { there.run(); });
    int results = 0;
    asio::post(here, [&] {
        loops::async_invoke(
            there, [&] { return &loops::get_running_loop() == &there ? 42 : 0; },
            [&](const std::exception_ptr& exception, int value) {
                BOOST_TEST(!exception);
                BOOST_TEST(value == 42);
                BOOST_TEST(&loops::get_running_loop() == &here);
                ++results;
            });
        loops::async_invoke(
            there, [] { throw std::runtime_error("there"); },
            [&](const std::exception_ptr& exception) {
                BOOST_TEST((exception != nullptr));
                ++results;
            });
        BOOST_TEST(results == 0);
    });
    here.run();
    BOOST_TEST(results == 2);
    auto future = loops::async_invoke(
        there, [] { return std::string("text"); }, asio::use_future);
    BOOST_TEST(future.get() == "text");
    work.reset();
    other.join();
}

BOOST_AUTO_TEST_CASE(an_invocation_is_cancelled_before_it_is_called)
{
    event_loop here;
    event_loop there;
    asio::cancellation_signal cancel;
    bool called = false;
    std::optional<loops::error_code> ended;
    asio::post(here, [&] {
        loops::async_invoke(
            there, [&] { called = true; },
            asio::bind_cancellation_slot(cancel.slot(),
                [&](const std::exception_ptr& exception) { ended = code_of(exception); }));
        cancel.emit(asio::cancellation_type::total);
        BOOST_TEST(!ended.has_value());
    });
    here.run();
    there.run();
    BOOST_TEST(!called);
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(an_invocation_on_a_closed_loop_is_an_error)
{
    event_loop here;
    event_loop there;
    there.close();
    std::optional<loops::error_code> ended;
    asio::post(here, [&] {
        loops::async_invoke(
            there, [] {}, [&](const std::exception_ptr& exception) { ended = code_of(exception); });
        BOOST_TEST(!ended.has_value());
    });
    here.run();
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == error::loop_closed));
}

BOOST_AUTO_TEST_CASE(an_invocation_dies_uncalled_with_its_loop)
{
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    asio::thread_pool callers(1);
    {
        event_loop there;
        loops::async_invoke(
            there, [] {},
            asio::bind_executor(callers, [owned = std::move(owned)](const std::exception_ptr&) {}));
    }
    BOOST_TEST(watched.expired());
    callers.join();
}

BOOST_AUTO_TEST_CASE(all_memory_is_back_before_a_completion_runs)
{
    event_loop here;
    event_loop there;
    std::size_t in_use = 0;
    std::size_t at_completion = 1;
    loops::async_invoke(
        there, [] { return 1; },
        asio::bind_executor(here.get_executor(),
            asio::bind_allocator(counting_allocator<char>(in_use),
                [&](const std::exception_ptr&, int) { at_completion = in_use; })));
    BOOST_TEST(in_use > 0U);
    there.run();
    here.run();
    BOOST_TEST(at_completion == 0U);
}
