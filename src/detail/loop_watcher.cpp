// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/loop_watcher.hpp"

#include <loops/error.hpp>

#include "detail/log.hpp"
#include "detail/loop_record.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// The thread that watches, and its watches. It looks at one at a time, with no lock held.
class watcher
{
public:
    void begin(const std::shared_ptr<watch>& it)
    {
        const std::lock_guard lock(mutex_);
        if (it->options() && it->options()->stacks)
            give_stacks(*it);
        watches_.push_back(it);
        try
        {
            if (!thread_.joinable())
                thread_ = platform::start_thread([this, turn = turn_] { run(turn); });
        }
        catch (...)
        {
            watches_.pop_back();
            it->finish();
            throw;
        }
        changed_.notify_all();
    }

    void end(const std::shared_ptr<watch>& it) noexcept
    {
        std::thread last;
        {
            std::unique_lock<std::mutex> lock(mutex_);
            watches_.erase(std::remove(watches_.begin(), watches_.end(), it), watches_.end());
            if (thread_.get_id() != std::this_thread::get_id())
            {
                ++enders_;
                changed_.wait(lock, [&] { return current_ != it.get(); });
                --enders_;
                if (watches_.empty() && current_ == nullptr)
                    last = take_thread();
                changed_.notify_all();
            }
            it->finish();
        }
        if (last.joinable())
            last.join();
    }

    std::shared_ptr<watch> find(const std::shared_ptr<loop_record>& loop)
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(watches_.begin(), watches_.end(),
            [&](const auto& each) { return !each->options() && each->is_of(loop); });
        return found != watches_.end() ? *found : nullptr;
    }

    // The process ends.
    void end_all() noexcept
    {
        std::thread last;
        {
            const std::lock_guard lock(mutex_);
            if (!thread_.joinable() || thread_.get_id() == std::this_thread::get_id())
                return;
            watches_.clear();
            last = take_thread();
        }
        last.join();
    }

    bool is_inherited() const noexcept { return generation_ != fork_generation(); }

private:
    // Another thread may be started while the one that is told to end does so.
    std::thread take_thread() noexcept
    {
        ++turn_;
        changed_.notify_all();
        return std::move(thread_);
    }

    void give_stacks(watch& it)
    {
        const int wanted = it.options()->stack_signal;
        auto taker = taker_.lock();
        if (taker && wanted != 0 && wanted != taker->signal())
            throw_error(make_error_code(boost::system::errc::device_or_resource_busy),
                "watching loops, with stacks by signal " + std::to_string(wanted) +
                    ", while another watch takes them by signal " +
                    std::to_string(taker->signal()) + "; end that first");
        if (!taker)
        {
            try
            {
                taker = std::make_shared<const platform::stack_taker>(wanted);
            }
            catch (const system_error& e)
            {
                if (wanted != 0)
                    throw;
                it.take_no_stacks(e.what());
            }
            taker_ = taker;
        }
        it.take_stacks_by(std::move(taker));
    }

    void run(std::uint64_t turn) noexcept
    {
        platform::name_thread("loops-watch");
        std::unique_lock<std::mutex> lock(mutex_);
        while (turn == turn_ && (!watches_.empty() || enders_ > 0))
        {
            const auto next = std::min_element(watches_.begin(), watches_.end(),
                [](const auto& a, const auto& b) { return a->next_look() < b->next_look(); });
            if (next == watches_.end())
                changed_.wait(lock); // for who has ended the last one, to take the thread
            else if ((*next)->next_look() > watch::clock::now())
                changed_.wait_until(lock, (*next)->next_look());
            else
                look(lock, std::shared_ptr<watch>(*next)); // others change the list meanwhile
        }
        if (turn == turn_)
            take_thread().detach(); // the last one was ended here
    }

    void look(std::unique_lock<std::mutex>& lock, const std::shared_ptr<watch>& it) noexcept
    {
        current_ = it.get();
        lock.unlock();
        try
        {
            it->look();
        }
        catch (const std::exception& e) // no memory, or no descriptor
        {
            log(e.what());
        }
        lock.lock();
        current_ = nullptr;
        if (it->is_over())
            watches_.erase(std::remove(watches_.begin(), watches_.end(), it), watches_.end());
        changed_.notify_all();
    }

    fork_mutex mutex_;
    std::condition_variable changed_;
    const unsigned generation_ = fork_generation();
    std::vector<std::shared_ptr<watch>> watches_;
    const watch* current_ = nullptr;
    std::size_t enders_ = 0; // that wait until their watch is not the current one
    std::thread thread_;
    std::uint64_t turn_ = 0;
    std::weak_ptr<const platform::stack_taker> taker_;
};

class holder
{
public:
    // A forked child has its own: the parent's is left as it is.
    watcher& here()
    {
        const std::lock_guard lock(mutex_);
        if (!present_ || present_->is_inherited())
        {
            leave_behind(std::move(present_));
            present_ = std::make_shared<watcher>();
        }
        return *present_;
    }

    void end_all() noexcept
    {
        const std::shared_ptr<watcher> last = [this] {
            const std::lock_guard lock(mutex_);
            return present_;
        }();
        if (last && !last->is_inherited())
            last->end_all();
    }

    // Never destroyed: policies that go during static destruction still end their watches.
    static holder& instance()
    {
        static holder& it = *new holder;
        return it;
    }

private:
    fork_mutex mutex_;
    std::shared_ptr<watcher> present_;
};

// Joins the thread when the process ends.
struct ender
{
    ender() = default;
    ender(const ender&) = delete;
    ender& operator=(const ender&) = delete;
    ~ender() { holder::instance().end_all(); }
};

void check(const loop_watch_options& options)
{
    constexpr auto least = std::chrono::milliseconds(1);
    if (options.threshold >= least &&
        (options.interval >= least || options.interval == std::chrono::nanoseconds(0)))
        return;
    throw_error(make_error_code(boost::system::errc::invalid_argument),
        "watching loops with a threshold of " + std::to_string(options.threshold.count()) +
            " ns and an interval of " + std::to_string(options.interval.count()) +
            " ns; give a millisecond or more");
}

} // namespace

std::shared_ptr<watch> begin_watch(watched what, std::optional<loop_watch_options> options)
{
    static const ender at_exit;
    if (options)
        check(*options);
    auto made = std::make_shared<watch>(std::move(what), std::move(options));
    holder::instance().here().begin(made);
    return made;
}

void end_watch(std::shared_ptr<watch> it) noexcept
{
    if (!it)
        return;
    if (it->is_inherited())
        leave_behind(std::move(it));
    else
        holder::instance().here().end(it);
}

void ask_for_lag(const std::shared_ptr<loop_record>& loop, bool on)
{
    const auto found = holder::instance().here().find(loop);
    if (on && !found)
        begin_watch({loop, nullptr}, std::nullopt);
    else if (!on && found)
        end_watch(found);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
