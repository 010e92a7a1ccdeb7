// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_registry_races

#include <loops/detail/fault.hpp>

#include "support/child_watchers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <random>
#include <set>

#include <sys/wait.h>

using namespace test;

namespace {

// Children in memory, with few numbers, so that each is used again and again.
class children final : public loops::detail::fake_children
{
public:
    children()
    {
        for (pid_t number = first; number < first + 48; ++number)
            free_.insert(number);
        loops::detail::children_hook = this;
    }
    ~children() { loops::detail::children_hook = nullptr; }

    struct child
    {
        pid_t pid;
        int code;
        std::uint64_t birth;
    };

    child start()
    {
        const std::lock_guard lock(mutex_);
        const pid_t pid = *free_.begin();
        free_.erase(pid);
        ++births_;
        alive_[pid] = {static_cast<int>(births_ % 251), births_, false};
        return {pid, alive_[pid].code, births_};
    }

    void end(const child& it)
    {
        const std::lock_guard lock(mutex_);
        const auto found = alive_.find(it.pid);
        if (found == alive_.end() || found->second.birth != it.birth)
            return; // it was ended, and reaped, before
        found->second.dead = true;
        changed_.notify_all();
    }

    // As somebody else in the process would. False: it was reaped before.
    bool reap(const child& it)
    {
        const std::lock_guard lock(mutex_);
        const auto found = alive_.find(it.pid);
        if (found == alive_.end() || found->second.birth != it.birth)
            return false;
        free_.insert(it.pid);
        alive_.erase(found);
        changed_.notify_all();
        return true;
    }

    std::size_t left()
    {
        const std::lock_guard lock(mutex_);
        return alive_.size();
    }

    int wait(int type, int id, std::uint64_t birth, siginfo_t& info, int options) override
    {
        std::unique_lock lock(mutex_);
        for (;;)
        {
            auto found = alive_.end();
            if (type == P_ALL)
                found = std::find_if(alive_.begin(), alive_.end(),
                    [](const auto& each) { return each.second.dead; });
            else
                found = alive_.find(id);
            if (birth != 0 && found != alive_.end() && found->second.birth != birth)
                found = alive_.end();
            const bool none = type == P_ALL ? alive_.empty() : found == alive_.end();
            if (none)
            {
                errno = ECHILD;
                return -1;
            }
            if (found != alive_.end() && found->second.dead && (options & WEXITED) != 0)
            {
                info.si_pid = found->first;
                info.si_code = CLD_EXITED;
                info.si_status = found->second.code;
                if ((options & WNOWAIT) == 0)
                {
                    free_.insert(found->first);
                    alive_.erase(found);
                }
                return 0;
            }
            if ((options & WNOHANG) != 0)
                return 0;
            changed_.wait(lock);
        }
    }

    std::uint64_t birth(pid_t pid) override
    {
        const std::lock_guard lock(mutex_);
        const auto found = alive_.find(pid);
        return found != alive_.end() ? found->second.birth : 0;
    }

private:
    static constexpr pid_t first = 0x10000000; // of no process

    struct state
    {
        int code = 0;
        std::uint64_t birth = 0;
        bool dead = false;
    };

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<pid_t, state> alive_;
    std::set<pid_t> free_;
    std::uint64_t births_ = 0;
};

// One child with its waits, and what is done to them.
struct round_of_one
{
    children::child child;
    bool stolen = false;
    bool cancelled = false;
    std::array<outcome, 3> results;
    std::atomic<std::size_t> calls{0};
    asio::cancellation_signal signal;
};

} // namespace

// Registering, ending, cancelling, reaping by somebody else and using numbers again, from eight
// threads, on two loops, with watchers that share the books: each wait ends once, and with the exit
// of its own child.
BOOST_AUTO_TEST_CASE_TEMPLATE(numbers_used_again, Setup, std::tuple<setup<4>>)
{
    children all;
    {
        std::array<asio::io_context, 2> loops;
        std::vector<std::shared_ptr<loops::child_watcher>> watchers;
        watchers.push_back(std::make_shared<loops::multi_loop_child_watcher>(
            loops::look_interval{std::chrono::microseconds(50), std::chrono::milliseconds(1)}));
        watchers.push_back(std::make_shared<loops::threaded_child_watcher>());
        watchers.push_back(watchers.front());
        std::array<asio::executor_work_guard<asio::io_context::executor_type>, 2> work{
            asio::make_work_guard(loops[0]), asio::make_work_guard(loops[1])};
        std::vector<std::thread> threads;
        for (asio::io_context& loop : loops)
            threads.emplace_back([&] { Setup::run(loop); });

        std::atomic<std::size_t> wrong{0};
        std::atomic<std::size_t> lost{0};
        std::atomic<std::size_t> aborted{0};
        std::vector<std::thread> users;
        for (unsigned user = 0; user < 8; ++user)
        {
            users.emplace_back([&, user] {
                std::mt19937 random(user);
                for (std::size_t left = rounds(10'000) / 8; left > 0; --left)
                {
                    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
                    round_of_one now;
                    now.child = all.start();
                    // Once the first wait is there it may be reaped, and its number be another's.
                    const bool is_dead = chance(20);
                    const std::size_t waits = is_dead ? 1 : now.results.size();
                    if (is_dead)
                        all.end(now.child);
                    const bool one_is_cancelled = chance(30);
                    auto strand = asio::make_strand(loops[random() % 2]);
                    for (std::size_t i = 0; i < waits; ++i)
                    {
                        const auto record = [&now, i](loops::error_code ec, auto exit) {
                            now.results[i].end(ec, exit);
                            ++now.calls;
                        };
                        const auto& watcher = watchers[random() % watchers.size()];
                        if (i == 0)
                            watcher->async_wait(
                                now.child.pid, asio::bind_cancellation_slot(now.signal.slot(),
                                                   asio::bind_executor(strand, record)));
                        else
                            watcher->async_wait(now.child.pid,
                                asio::bind_executor(loops[random() % 2].get_executor(), record));
                    }
                    if (!is_dead)
                        all.end(now.child);
                    if (one_is_cancelled)
                        asio::post(strand, [&] {
                            now.signal.emit(asio::cancellation_type::terminal);
                            ++now.calls;
                        });
                    now.stolen = chance(30) && all.reap(now.child);
                    const std::size_t wanted = waits + (one_is_cancelled ? 1 : 0);
                    while (now.calls < wanted)
                        std::this_thread::yield();
                    for (std::size_t i = 0; i < waits; ++i)
                    {
                        const outcome& each = now.results[i];
                        const bool right = !each.ec() && each.exit().exit_code() == now.child.code;
                        const bool is_lost = each.ec() == loops::error::child_status_lost;
                        const bool is_aborted = each.ec() == asio::error::operation_aborted;
                        lost += is_lost ? 1U : 0U;
                        aborted += is_aborted ? 1U : 0U;
                        const bool fine = right || (now.stolen && is_lost) ||
                                          (is_aborted && i == 0 && one_is_cancelled);
                        wrong += each.calls() == 1 && fine ? 0U : 1U;
                    }
                    all.reap(now.child); // where all were cancelled before it was seen
                }
            });
        }
        for (std::thread& each : users)
            each.join();
        for (auto& each : work)
            each.reset();
        for (std::thread& each : threads)
            each.join();
        BOOST_TEST(wrong == 0U);
        BOOST_TEST_MESSAGE("lost: " << lost << ", aborted: " << aborted);
        BOOST_TEST(lost > 0U);
        BOOST_TEST(aborted > 0U);
        for (const auto& each : watchers)
            each->close();
    }
    BOOST_TEST(all.left() == 0U);
}
