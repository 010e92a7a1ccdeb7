// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_handler_races

#include <loops/child_watcher.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Handlers that are added, replaced and removed by eight threads, while a user.s own watcher, which
// has no processes, completes them on others: 100,000 rounds.

namespace {

constexpr std::size_t most_threads = 8;
constexpr std::size_t rounds = 100000 / most_threads; // of a thread

// Completes what it was given, on threads of its own, in any order.
class faked : public loops::child_watcher
{
public:
    // Whether it forgets a wait whose handler was removed.
    explicit faked(bool forgets) : forgets_(forgets)
    {
        for (int i = 0; i < 3; ++i)
            threads_.emplace_back([this, i] { complete(static_cast<unsigned>(i)); });
    }
    ~faked() override
    {
        close();
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
            changed_.notify_all();
        }
        for (std::thread& thread : threads_)
            thread.join();
    }

    std::string name() const override { return "faked"; }

    // Returns when everything that was given was completed.
    void drain()
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waits_.empty() && completing_ == 0; });
    }

private:
    struct wait
    {
        wait(loops::pid_type number, handler_id name, wait_handler&& completed)
            : pid(number), id(name), handler(std::move(completed))
        {}

        loops::pid_type pid;
        handler_id id;
        wait_handler handler;
    };

    void do_async_wait(loops::pid_type pid, wait_handler handler) override
    {
        give(pid, 0, std::move(handler));
    }

    void do_add_handler(
        loops::pid_type pid, handler_id id, wait_handler handler, loops::error_code& ec) override
    {
        ec.clear();
        give(pid, id, std::move(handler));
    }

    void do_remove_handler(loops::pid_type, handler_id id) override
    {
        wait_handler removed; // destroyed after the lock is gone
        const std::lock_guard lock(mutex_);
        for (wait& each : waits_)
            if (forgets_ && each.id == id)
                removed.swap(each.handler);
    }

    void give(loops::pid_type pid, handler_id id, wait_handler handler)
    {
        const std::lock_guard lock(mutex_);
        waits_.emplace_back(pid, id, std::move(handler));
        changed_.notify_all();
    }

    void complete(unsigned seed)
    {
        std::minstd_rand random(seed + 1);
        std::unique_lock lock(mutex_);
        for (;;)
        {
            changed_.wait(lock, [this] { return over_ || !waits_.empty(); });
            if (waits_.empty())
                return;
            const bool newest = random() % 2 == 0;
            wait& next = newest ? waits_.back() : waits_.front();
            const loops::pid_type pid = next.pid;
            wait_handler handler;
            handler.swap(next.handler);
            if (newest)
                waits_.pop_back();
            else
                waits_.pop_front();
            ++completing_;
            lock.unlock();
            if (handler)
                std::move(handler)(loops::error_code(), loops::child_exit(pid, 7 << 8));
            lock.lock();
            --completing_;
            changed_.notify_all();
        }
    }

    const bool forgets_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<wait> waits_;
    std::size_t completing_ = 0;
    bool over_ = false;
    std::vector<std::thread> threads_;
};

// What became of a handler. `gone` once it may not be called any more.
struct fate
{
    std::atomic<int> calls{0};
    std::atomic<int> late_calls{0};
    std::atomic<int> ends{0};
    std::atomic<bool> gone{false};
};

struct ends_it
{
    void operator()(fate* it) const { ++it->ends; }
};

// It is moved, and destroyed once.
struct handler
{
    std::unique_ptr<fate, ends_it> it;

    void operator()(const loops::error_code& ec, const loops::child_exit& exit) const
    {
        ++it->calls;
        if (it->gone || (!ec && exit.returncode() != 7))
            ++it->late_calls;
    }
};

handler handler_of(fate& it)
{
    return handler{std::unique_ptr<fate, ends_it>(&it)};
}

using fates = std::vector<fate>;

// Each of them called at most once, not after its removal, and destroyed once.
void check(const fates& all)
{
    std::size_t wrong = 0;
    for (const fate& each : all)
        wrong += each.calls <= 1 && each.late_calls == 0 && each.ends == 1 ? 0U : 1U;
    BOOST_TEST(wrong == 0U);
}

template <class Body>
void on_threads(Body body)
{
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < most_threads; ++i)
        threads.emplace_back([&, i] { body(i); });
    for (std::thread& thread : threads)
        thread.join();
}

} // namespace

// A number of each thread's own: what removing says can be held against what became of the handler.
BOOST_AUTO_TEST_CASE(numbers_of_ones_own)
{
    for (const bool forgets : {false, true})
    {
        std::vector<fates> all;
        for (std::size_t i = 0; i < most_threads; ++i)
            all.emplace_back(2 * rounds);
        std::atomic<std::size_t> wrong{0};
        std::array<std::atomic<std::size_t>, 2> said{};
        {
            faked watcher(forgets);
            on_threads([&](std::size_t thread) {
                const auto pid = static_cast<loops::pid_type>(1000 + thread);
                for (std::size_t i = 0; i < 2 * rounds; i += 2)
                {
                    fate& first = all[thread][i];
                    fate& second = all[thread][i + 1];
                    watcher.add_child_handler(pid, handler_of(first));
                    if (i % 3 == 0)
                        std::this_thread::yield();
                    watcher.add_child_handler(pid, handler_of(second));
                    if (i % 5 == 0)
                        std::this_thread::yield();
                    // The first was called before, or will not be.
                    const int calls = first.calls;
                    const bool removed = watcher.remove_child_handler(pid);
                    if (removed)
                        second.gone = true;
                    ++said.at(removed ? 1 : 0);
                    if (calls == 0 && first.ends == 1)
                        first.gone = true;
                    if (removed && second.calls != 0)
                        ++wrong;
                    if (watcher.remove_child_handler(pid)) // true once, then false
                        ++wrong;
                }
            });
            watcher.drain();
            for (const fates& each : all)
                for (std::size_t i = 1; i < each.size(); i += 2)
                    wrong += each[i].gone == (each[i].calls == 0) ? 0U : 1U;
        }
        BOOST_TEST(wrong == 0U);
        BOOST_TEST(said[0] > 0U); // both happen
        BOOST_TEST(said[1] > 0U);
        for (const fates& each : all)
            check(each);
    }
}

BOOST_AUTO_TEST_CASE(numbers_of_everybodys)
{
    for (const bool forgets : {false, true})
    {
        std::vector<fates> all;
        for (std::size_t i = 0; i < most_threads; ++i)
            all.emplace_back(rounds);
        std::atomic<std::size_t> removed{0};
        {
            faked watcher(forgets);
            on_threads([&](std::size_t thread) {
                std::minstd_rand random(static_cast<unsigned>(thread + 1));
                for (fate& each : all[thread])
                {
                    const auto pid = static_cast<loops::pid_type>(1000 + random() % 3);
                    watcher.add_child_handler(pid, handler_of(each));
                    if (random() % 3 == 0)
                        removed += watcher.remove_child_handler(pid) ? 1U : 0U;
                }
            });
            watcher.drain();
            for (const loops::pid_type pid : {1000, 1001, 1002})
                BOOST_TEST(!watcher.remove_child_handler(pid)); // all were called or replaced
        }
        std::size_t uncalled = 0;
        for (const fates& each : all)
        {
            check(each);
            for (const fate& one : each)
                uncalled += one.calls == 0 ? 1U : 0U;
        }
        BOOST_TEST(removed <= uncalled);
        BOOST_TEST(removed > 0U);
        BOOST_TEST(uncalled < most_threads * rounds);
    }
}

// Closed by one thread amid the others: what is added afterwards is refused and destroyed.
BOOST_AUTO_TEST_CASE(closed_amid)
{
    constexpr std::size_t watchers = 200;
    for (std::size_t i = 0; i < watchers; ++i)
    {
        fates all(most_threads * 20);
        std::atomic<std::size_t> refused{0};
        {
            faked watcher(i % 2 == 0);
            on_threads([&](std::size_t thread) {
                for (std::size_t k = 0; k < 20; ++k)
                {
                    fate& each = all[thread * 20 + k];
                    loops::error_code ec;
                    watcher.add_child_handler(
                        static_cast<loops::pid_type>(1000 + k % 3), handler_of(each), ec);
                    if (ec == loops::error::watcher_closed)
                    {
                        ++refused;
                        each.gone = true;
                    }
                    if (thread == 0 && k == i % 20)
                        watcher.close();
                }
            });
            watcher.drain();
        }
        check(all);
        BOOST_TEST(refused >= 19 - i % 20);
    }
}
