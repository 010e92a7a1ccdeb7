// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE pidfd_alloc

#include "support/alloc/counted.hpp"
#include "support/child_watchers.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <utility>

using namespace test;

namespace {

// Blocks of one size, from a fixed store; counts.
struct store
{
    alignas(std::max_align_t) unsigned char bytes[64 * 1024];
    std::size_t used = 0;
    std::size_t taken = 0;
    std::ptrdiff_t live = 0;
};

template <class T>
struct store_allocator
{
    using value_type = T;
    store* from;

    explicit store_allocator(store& s) : from(&s) {}
    template <class U>
    store_allocator(const store_allocator<U>& other) : from(other.from)
    {}
    T* allocate(std::size_t n)
    {
        constexpr std::size_t unit = alignof(std::max_align_t);
        if (from->live == 0)
            from->used = 0;
        T* const p = static_cast<T*>(static_cast<void*>(from->bytes + from->used));
        from->used += (n * sizeof(T) + unit - 1) / unit * unit;
        if (from->used > sizeof from->bytes)
            throw std::bad_alloc();
        ++from->taken;
        ++from->live;
        return p;
    }
    void deallocate(T*, std::size_t) { --from->live; }
    template <class U>
    bool operator==(const store_allocator<U>& other) const
    {
        return from == other.from;
    }
    template <class U>
    bool operator!=(const store_allocator<U>& other) const
    {
        return from != other.from;
    }
};

// Waits for one child after the other, each from the handler of the one before, and counts what
// is allocated from the eleventh on. `bind` gives a handler its executor.
template <class Bind>
struct rounds_of_waits
{
    loops::child_watcher& watcher;
    store& memory;
    Bind bind;
    int left = 60;
    std::size_t counted = 0;

    void next()
    {
        const pid_t pid = child_that_exits(0);
        if (left == 50)
            counted = allocations();
        watcher.async_wait(pid, asio::bind_allocator(store_allocator<void>(memory),
                                    bind([this](loops::error_code, const loops::child_exit&) {
                                        if (--left > 0)
                                            next();
                                        else
                                            counted = allocations() - counted;
                                    })));
    }
};

template <class Bind>
void check_steady_state(asio::io_context& loop, loops::child_watcher& watcher, Bind bind)
{
    const auto memory = std::make_unique<store>();
    rounds_of_waits<Bind> rounds{watcher, *memory, bind};
    asio::post(loop, [&] { rounds.next(); });
    loop.run();
    BOOST_TEST(rounds.left == 0);
    BOOST_TEST(rounds.counted == 0U);
    BOOST_TEST(memory->taken >= 60U);
    BOOST_TEST(memory->live == 0);
}

template <class Bind>
void check_bound(const char* name, Bind bind)
{
    if (!counts_allocations())
    {
        skipped(name, "a sanitizer replaces the allocation functions");
        return;
    }
    const child_ledger ledger;
    asio::io_context loop(1);
    loops::pidfd_child_watcher watcher;
    check_steady_state(loop, watcher, [&](auto handler) { return bind(loop, std::move(handler)); });
}

} // namespace

// In the steady state a wait allocates nothing but by the handler's allocator.

BOOST_AUTO_TEST_CASE(on_the_loop)
{
    check_bound("pidfd_alloc/on_the_loop", [](asio::io_context& loop, auto handler) {
        return asio::bind_executor(loop.get_executor(), std::move(handler));
    });
    BOOST_TEST((!counts_allocations() || allocations() > 100U)); // it does count
}

BOOST_AUTO_TEST_CASE(on_an_erased_executor)
{
    check_bound("pidfd_alloc/on_an_erased_executor", [](asio::io_context& loop, auto handler) {
        return asio::bind_executor(asio::any_io_executor(loop.get_executor()), std::move(handler));
    });
}

BOOST_AUTO_TEST_CASE(on_a_strand)
{
    std::optional<asio::strand<asio::io_context::executor_type>> strand;
    check_bound("pidfd_alloc/on_a_strand", [&](asio::io_context& loop, auto handler) {
        if (!strand)
            strand.emplace(loop.get_executor());
        return asio::bind_executor(*strand, std::move(handler));
    });
}

BOOST_AUTO_TEST_CASE(on_an_erased_strand)
{
    asio::any_io_executor strand;
    check_bound("pidfd_alloc/on_an_erased_strand", [&](asio::io_context& loop, auto handler) {
        if (!strand)
            strand = asio::make_strand(loop);
        return asio::bind_executor(strand, std::move(handler));
    });
}

BOOST_AUTO_TEST_CASE(on_the_attached_loop)
{
    if (!counts_allocations())
        return skipped(
            "pidfd_alloc/on_the_attached_loop", "a sanitizer replaces the allocation functions");
    const child_ledger ledger;
    asio::io_context loop(1);
    loops::pidfd_child_watcher watcher;
    watcher.attach_loop(loop);
    check_steady_state(loop, watcher, [](auto handler) { return handler; });
}

#if defined(LOOPS_HAS_COROUTINES)

BOOST_AUTO_TEST_CASE(in_a_coroutine)
{
    if (!counts_allocations())
        return skipped(
            "pidfd_alloc/in_a_coroutine", "a sanitizer replaces the allocation functions");
    const child_ledger ledger;
    asio::io_context loop(1);
    loops::pidfd_child_watcher watcher;
    std::size_t counted = 1;
    asio::co_spawn(
        loop,
        [&]() -> asio::awaitable<void> {
            for (int i = 0; i < 60; ++i)
            {
                if (i == 10)
                    counted = allocations();
                co_await watcher.async_wait(child_that_exits(0), asio::use_awaitable);
            }
            counted = allocations() - counted;
        },
        asio::detached);
    loop.run();
    BOOST_TEST(counted == 0U);
}

#endif
