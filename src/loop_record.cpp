// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/loop_record.hpp"

#include <loops/error.hpp>
#include <loops/loop_local.hpp>

#include "detail/fork.hpp"
#include "detail/virtual_time.hpp"
#include "platform/system.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

std::atomic<std::uint64_t> epoch{1};
std::atomic<std::uint64_t> known_version{1};
std::atomic<std::uint64_t> next_record_id{1};

struct loop_registry
{
    fork_mutex mutex;
    std::unordered_map<const loop_record*, std::shared_ptr<loop_record>> loops;
};

loop_registry& registry()
{
    static loop_registry& it = *new loop_registry;
    return it;
}

// Few mutexes for many records, since a fork has to hold all of them. Loops that are made one after
// the other, as a pool's are, have different ones. No two are held at a time.
fork_mutex& mutex_for(std::uint64_t id)
{
    static auto& all = *new std::array<fork_mutex, 32>;
    return all[id % all.size()];
}

// The service that ties a record to the life of its io_context.
class loop_service : public asio::execution_context::service
{
public:
    static asio::execution_context::id id;

    explicit loop_service(asio::execution_context& owner)
        : service(owner),
          // Only record_of() asks for this service, and only of an io_context.
          record_(std::make_shared<loop_record>(static_cast<asio::io_context&>(owner)))
    {
        const std::lock_guard lock(registry().mutex);
        registry().loops.emplace(record_.get(), record_);
        ++known_version;
    }

    ~loop_service() override { record_->die(); }

    void shutdown() override { record_->end(); }

    const std::shared_ptr<loop_record>& record() const noexcept { return record_; }

private:
    std::shared_ptr<loop_record> record_;
};

asio::execution_context::id loop_service::id;

} // namespace

loop_record::loop_record(asio::io_context& context)
    : id_(next_record_id.fetch_add(1, std::memory_order_relaxed)),
      context_(&context),
      generation_(fork_generation()),
      mutex_(mutex_for(id_))
{}

bool loop_record::belongs_here() const noexcept
{
    return generation_.load(std::memory_order_relaxed) == fork_generation();
}

void loop_record::make_belong_here() noexcept
{
    generation_.store(fork_generation(), std::memory_order_relaxed);
}

std::string loop_record::describe() const
{
    return ours_ != nullptr ? "loop '" + name_ + "'" : "adopted loop " + std::to_string(id_);
}

void loop_record::make_ours(event_loop& loop, std::string name, bool sole_runner)
{
    ours_ = &loop;
    name_ = name.empty() ? "loop-" + std::to_string(id_) : std::move(name);
    sole_runner_ = sole_runner;
}

void loop_record::set_policy(std::weak_ptr<event_loop_policy> policy, std::uint64_t core)
{
    const std::lock_guard lock(mutex_);
    policy_ = std::move(policy);
    policy_core_ = core;
    ++known_version;
}

void loop_record::set_time(std::weak_ptr<const virtual_time> time)
{
    const std::lock_guard lock(mutex_);
    time_ = std::move(time);
}

std::shared_ptr<const virtual_time> loop_record::time() const
{
    if (!virtual_time::is_on())
        return nullptr;
    const std::lock_guard lock(mutex_);
    return time_.lock();
}

std::shared_ptr<event_loop_policy> loop_record::policy() const
{
    const std::lock_guard lock(mutex_);
    return policy_.lock();
}

bool loop_record::while_alive(const std::function<void(asio::io_context&)>& function) const
{
    const std::lock_guard lock(registry().mutex);
    asio::io_context* const loop = context();
    if (loop != nullptr)
        function(*loop);
    return loop != nullptr;
}

void loop_record::die() noexcept
{
    // Under the registry's lock: whoever found the context there may use it while holding that.
    const std::lock_guard lock(registry().mutex);
    if (context_.exchange(nullptr, std::memory_order_acq_rel) == nullptr)
        return;
    next_loop_epoch();
    ++known_version;
    registry().loops.erase(this);
}

void loop_record::end() noexcept
{
    die();
    task_lane::refuse_waiting(*this);
    remove_guests();
    destroy_locals();
}

void* loop_record::find_local(std::uint64_t key, const std::function<std::shared_ptr<void>()>& make)
{
    std::shared_ptr<local> entry;
    {
        const std::lock_guard lock(mutex_);
        if (context() == nullptr)
            throw_error(error::loop_closed, "making a loop_local value of " + describe());
        auto& found = locals_[key];
        if (!found)
            found = std::make_shared<local>();
        entry = found;
    }
    if (entry->maker == std::this_thread::get_id())
        throw_error(make_error_code(boost::system::errc::resource_deadlock_would_occur),
            "making a loop_local value of " + describe() + " on " + platform::describe_thread() +
                " needs the very value that is being made; break the circle");
    // Made outside the record's lock: the maker may ask for other values of the same loop.
    const std::lock_guard making(entry->making);
    if (!entry->value)
    {
        struct mark
        {
            std::atomic<std::thread::id>& maker;
            explicit mark(std::atomic<std::thread::id>& of) : maker(of)
            {
                maker = std::this_thread::get_id();
            }
            mark(const mark&) = delete;
            mark& operator=(const mark&) = delete;
            ~mark() { maker = std::thread::id(); }
        };
        const mark being_made(entry->maker);
        entry->value = make();
        const std::lock_guard lock(mutex_);
        locals_by_age_.push_back(entry);
    }
    return entry->value.get();
}

void loop_record::destroy_locals() noexcept
{
    std::vector<std::shared_ptr<local>> going;
    {
        const std::lock_guard lock(mutex_);
        locals_.clear();
        going.swap(locals_by_age_);
    }
    while (!going.empty())
        going.pop_back();
}

void loop_record::add_task(task_hook& task)
{
    const std::lock_guard lock(mutex_);
    if (context() == nullptr)
        throw_error(error::loop_closed, "spawning a task on " + describe());
    task_list_.push_back(task);
    tasks.fetch_add(1, std::memory_order_relaxed);
}

void loop_record::remove_task(task_hook& task) noexcept
{
    const std::lock_guard lock(mutex_);
    task_list_.erase(task_list_.iterator_to(task));
    const bool last = tasks.fetch_sub(1, std::memory_order_relaxed) == 1;
    if (!last || !finishing_ || context()->get_executor().running_in_this_thread())
        return;
    // What the runner waits for happened on a thread that does not run its loop.
    try
    {
        asio::post(*context(), [] {});
    }
    catch (...) // no memory: whatever its loop runs next wakes it
    {}
}

void loop_record::set_finishing(bool on)
{
    const std::lock_guard lock(mutex_);
    finishing_ = on;
}

void loop_record::cancel_tasks()
{
    const std::lock_guard lock(mutex_);
    for (task_hook& task : task_list_)
        task.request_cancel();
}

std::shared_ptr<loop_record> record_of(asio::io_context& context)
{
    return asio::use_service<loop_service>(static_cast<asio::execution_context&>(context)).record();
}

std::shared_ptr<loop_record> known_record_of(asio::io_context& context)
{
    const bool known =
        asio::has_service<loop_service>(static_cast<asio::execution_context&>(context));
    return known ? record_of(context) : nullptr;
}

std::vector<std::shared_ptr<loop_record>> known_loops()
{
    std::vector<std::shared_ptr<loop_record>> all;
    {
        const std::lock_guard lock(registry().mutex);
        all.reserve(registry().loops.size());
        for (const auto& entry : registry().loops)
            all.push_back(entry.second);
    }
    std::sort(
        all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id() < b->id(); });
    return all;
}

std::uint64_t known_loops_version() noexcept
{
    return known_version;
}

// Asio does not tell, but stops a loop when the last unit of work is taken away from it.
bool has_work(asio::io_context& loop)
{
    loop.restart();
    asio::make_work_guard(loop).reset();
    return !loop.stopped();
}

asio::io_context* find_running(const asio::io_context* preferred) noexcept
{
    asio::io_context* found = nullptr;
    const std::lock_guard lock(registry().mutex);
    for (const auto& entry : registry().loops)
    {
        asio::io_context* const loop = entry.second->context();
        if (!entry.second->belongs_here() || !loop->get_executor().running_in_this_thread())
            continue;
        if (loop == preferred)
            return loop;
        if (found == nullptr)
            found = loop;
    }
    return found;
}

std::uint64_t loop_epoch() noexcept
{
    return epoch.load(std::memory_order_acquire);
}

void next_loop_epoch() noexcept
{
    epoch.fetch_add(1, std::memory_order_acq_rel);
}

std::uint64_t new_local_key() noexcept
{
    static std::atomic<std::uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);
}

void* find_local(
    asio::io_context& loop, std::uint64_t key, const std::function<std::shared_ptr<void>()>& make)
{
    return record_of(loop)->find_local(key, make);
}

bool is_closed(asio::io_context& loop)
{
    return record_of(loop)->context() == nullptr;
}

std::shared_ptr<loop_record> add_task(asio::io_context& loop, task_hook& task)
{
    auto record = record_of(loop);
    record->add_task(task);
    return record;
}

void remove_task(loop_record& loop, task_hook& task) noexcept
{
    loop.remove_task(task);
}

bool is_aborted(const std::exception_ptr& exception) noexcept
{
    if (!exception)
        return false;
    try
    {
        std::rethrow_exception(exception);
    }
    catch (const system_error& e)
    {
        return e.code() == asio::error::operation_aborted;
    }
    catch (...)
    {
        return false;
    }
}

void throw_from_loop(asio::io_context& loop, std::exception_ptr exception)
{
    asio::post(loop, [exception = std::move(exception)] { std::rethrow_exception(exception); });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
