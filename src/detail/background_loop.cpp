// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/background_loop.hpp"

#include "detail/fork.hpp"
#include "detail/log.hpp"
#include "platform/system.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// More than one, so that a handler that blocks holds up no other; what Asio's system_context has
// at least.
constexpr std::size_t threads_wanted = 4;

class background
{
public:
    background()
    {
        threads_.reserve(threads_wanted);
        try
        {
            while (threads_.size() < threads_wanted)
                threads_.push_back(platform::start_thread([this] { run(); }));
        }
        catch (...)
        {
            if (threads_.empty())
                throw;
        }
    }

    background(const background&) = delete;
    background& operator=(const background&) = delete;

    ~background()
    {
        loop.stop();
        for (std::thread& thread : threads_)
            thread.join();
    }

    bool is_ours() const noexcept { return generation_ == fork_generation(); }

    asio::io_context loop;

private:
    // What a handler throws here, or an executor that will not take one, is nobody's to catch, and
    // must not harm the other handlers.
    void run() noexcept
    {
        platform::name_thread("loops-children");
        for (;;)
        {
            try
            {
                loop.run();
                return;
            }
            catch (const std::exception& e)
            {
                tell(e.what());
            }
            catch (...)
            {
                tell("an exception");
            }
        }
    }

    static void tell(const char* what) noexcept
    {
        try
        {
            log("this left a child's handler, or its executor, on " + platform::describe_thread() +
                " of Loops: " + what);
        }
        catch (...) // no memory for the text
        {
            log(what);
        }
    }

    const asio::executor_work_guard<asio::io_context::executor_type> work_{loop.get_executor()};
    const unsigned generation_ = fork_generation();
    std::vector<std::thread> threads_;
};

class holder
{
public:
    asio::io_context& loop()
    {
        background* const found = present_.load(std::memory_order_acquire);
        if (found != nullptr && found->is_ours())
            return found->loop;
        const std::lock_guard lock(making_);
        background* present = present_.load(std::memory_order_acquire);
        if (present == nullptr || !present->is_ours())
        {
            // What a forked child inherited stays as it is: it cannot be run nor destroyed there.
            present = std::make_unique<background>().release();
            present_.store(present, std::memory_order_release);
        }
        return present->loop;
    }

    // Not in a forked child, where its threads are not; nor on one of them, which called exit().
    void end()
    {
        background* const present = present_.load();
        if (present == nullptr || !present->is_ours() ||
            present->loop.get_executor().running_in_this_thread())
            return;
        present_ = nullptr;
        delete present;
    }

    // Never destroyed: watchers that die during static destruction may still want it.
    static holder& instance()
    {
        static holder& it = *new holder;
        return it;
    }

private:
    holder() = default;

    fork_mutex making_;
    std::atomic<background*> present_{nullptr};
};

// Joins the threads when the process ends.
struct ender
{
    ender() = default;
    ender(const ender&) = delete;
    ender& operator=(const ender&) = delete;
    ~ender() { holder::instance().end(); }
};

} // namespace

asio::io_context& background_loop()
{
    static const ender at_exit;
    return holder::instance().loop();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
