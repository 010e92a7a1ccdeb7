// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE pidfd_alloc

#include "support/alloc/counted.hpp"
#include "support/child_watchers.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <new>

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
// is allocated from the eleventh on.
struct rounds_of_waits
{
    asio::io_context& loop;
    loops::child_watcher& watcher;
    store& memory;
    int left = 60;
    std::size_t counted = 0;

    void next()
    {
        const pid_t pid = child_that_exits(0);
        if (left == 50)
            counted = allocations();
        auto handler = asio::bind_allocator(
            store_allocator<void>(memory), asio::bind_executor(loop.get_executor(),
                                               [this](loops::error_code, const loops::child_exit&) {
                                                   if (--left > 0)
                                                       next();
                                                   else
                                                       counted = allocations() - counted;
                                               }));
        watcher.async_wait(pid, std::move(handler));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(the_steady_state_allocates_nothing)
{
    if (!counts_allocations())
    {
        std::printf("LOOPS_SKIPPED: pidfd_alloc/the_steady_state_allocates_nothing: "
                    "a sanitizer replaces the allocation functions\n");
        return;
    }
    const child_ledger ledger;
    asio::io_context loop(1);
    loops::pidfd_child_watcher watcher;
    const auto memory = std::make_unique<store>();
    rounds_of_waits rounds{loop, watcher, *memory};
    asio::post(loop, [&] { rounds.next(); });
    loop.run();
    BOOST_TEST(allocations() > 100U); // it does count
    BOOST_TEST(rounds.counted == 0U);
    BOOST_TEST(memory->taken >= 60U);
    BOOST_TEST(memory->live == 0);
}
