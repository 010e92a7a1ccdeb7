// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/policy_core.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// Threads that end what cannot be ended where it was dropped.
class undertaker
{
public:
    undertaker() = default;
    undertaker(const undertaker&) = delete;
    undertaker& operator=(const undertaker&) = delete;

    ~undertaker()
    {
        std::unique_lock lock(mutex_);
        while (!jobs_.empty())
        {
            job last = std::move(jobs_.back());
            jobs_.pop_back();
            lock.unlock();
            if (last.threads->inside())
            {
                last.thread.detach(); // exit() was called on one of the threads that it waits for
            }
            else
            {
                last.threads->stop();
                last.thread.join();
            }
            lock.lock();
        }
    }

    void take(std::shared_ptr<crew> threads, std::function<void()> work)
    {
        const std::lock_guard lock(mutex_);
        for (auto each = jobs_.begin(); each != jobs_.end();)
        {
            if (*each->done)
            {
                each->thread.join();
                each = jobs_.erase(each);
            }
            else
            {
                ++each;
            }
        }
        auto done = std::make_shared<std::atomic<bool>>(false);
        std::thread thread = platform::start_thread([work = std::move(work), done]() mutable {
            work();
            work = nullptr;
            *done = true;
        });
        jobs_.push_back({std::move(threads), std::move(thread), std::move(done)});
    }

    static undertaker& instance()
    {
        static undertaker it;
        return it;
    }

private:
    struct job
    {
        std::shared_ptr<crew> threads;
        std::thread thread;
        std::shared_ptr<std::atomic<bool>> done;
    };

    std::mutex mutex_;
    std::list<job> jobs_;
};

void end(policy_core& core, std::vector<std::unique_ptr<event_loop>>& loops)
{
    core.threads->stop();
    core.threads->join_quietly();
    while (!loops.empty())
        loops.pop_back();
}

} // namespace

void tear_down(std::shared_ptr<policy_core> core, std::vector<std::unique_ptr<event_loop>> loops)
{
    if (!core->threads->inside())
    {
        end(*core, loops);
        return;
    }
    auto threads = core->threads;
    threads->stop();
    auto estate = std::make_shared<std::vector<std::unique_ptr<event_loop>>>(std::move(loops));
    undertaker::instance().take(
        std::move(threads), [core = std::move(core), estate] { end(*core, *estate); });
}

void retire_later(std::shared_ptr<event_loop_policy> policy, std::shared_ptr<crew> threads)
{
    auto work = [policy = std::move(policy)] { policy->drain(std::chrono::nanoseconds::max()); };
    undertaker::instance().take(std::move(threads), std::move(work));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
