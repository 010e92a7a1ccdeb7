// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_watcher.hpp>
#include <loops/error.hpp>

#include "detail/log.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "platform/system.hpp"

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
        std::unique_lock<std::mutex> lock(mutex_);
        forget_inherited();
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
        forget_inherited();
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

    // In a forked child: the parent's threads can be neither joined nor let go.
    void forget_inherited()
    {
        if (generation_ == fork_generation())
            return;
        generation_ = fork_generation();
        leave_behind(std::make_shared<std::list<job>>(std::move(jobs_)));
        jobs_.clear();
    }

    fork_mutex mutex_;
    std::list<job> jobs_;
    unsigned generation_ = fork_generation();
};

std::string what(const std::exception_ptr& exception)
{
    try
    {
        std::rethrow_exception(exception);
    }
    catch (const std::exception& e)
    {
        return e.what();
    }
    catch (...)
    {
        return "no std::exception";
    }
}

void drain(policy_core& core) noexcept
{
    try
    {
        core.prepare_drain();
        core.threads()->drain(std::chrono::nanoseconds::max());
    }
    catch (...)
    {
        log("a policy that was replaced was not drained: " + what(std::current_exception()));
    }
}

void end(policy_core& core, std::vector<std::unique_ptr<event_loop>>& loops) noexcept
{
    core.threads()->stop();
    core.threads()->join_quietly();
    if (const auto unheard = core.threads()->take_exception())
        log("a policy is destroyed, and nobody asked join() for the exception that stopped it: " +
            what(unheard));
    if (const auto watcher = std::move(core.watcher))
        watcher->close();
    end_loops(loops, false);
}

} // namespace

void end_loop(std::unique_ptr<event_loop> loop, bool on_demand) noexcept
{
    if (!loop)
        return;
    if (!record_of(*loop)->belongs_here())
    {
        leave_behind(std::shared_ptr<event_loop>(std::move(loop)));
        return;
    }
    const bool run_by_caller = !loop_access::has_own_thread(*loop);
    if (run_by_caller && loop->is_running())
    {
        log("loop '" + loop->name() + "' is to be destroyed on " + platform::describe_thread() +
            " while another thread runs it, and is kept; let its run return first");
        leave_behind(std::shared_ptr<event_loop>(std::move(loop)));
        return;
    }
    if (on_demand && run_by_caller && !loop->is_closed() && has_work(*loop))
        log("loop '" + loop->name() + "', made on demand on what is now " +
            platform::describe_thread() +
            ", is destroyed with work left that nobody ran; run it until it has none, or use a "
            "policy that does");
}

void end_loops(std::vector<std::unique_ptr<event_loop>>& loops, bool on_demand) noexcept
{
    while (!loops.empty())
    {
        end_loop(std::move(loops.back()), on_demand);
        loops.pop_back();
    }
}

void tear_down(
    const std::shared_ptr<policy_core>& core, std::vector<std::unique_ptr<event_loop>> loops)
{
    if (std::exchange(core->torn_down, true))
        return;
    core->end_watches();
    const auto threads = core->threads();
    const bool to_drain = core->retired && threads->busy();
    if (!to_drain && !threads->inside())
    {
        end(*core, loops);
        return;
    }
    if (!to_drain)
        threads->stop();
    auto estate = std::make_shared<std::vector<std::unique_ptr<event_loop>>>(std::move(loops));
    try
    {
        undertaker::instance().take(threads, [core, estate, to_drain] {
            if (to_drain)
                drain(*core);
            end(*core, *estate);
        });
    }
    catch (...) // there is no thread to be had
    {
        log("a policy cannot be ended where it was dropped, on " + platform::describe_thread() +
            ", and is kept: " + what(std::current_exception()));
        threads->stop();
        leave_behind(core);
        leave_behind(estate);
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
