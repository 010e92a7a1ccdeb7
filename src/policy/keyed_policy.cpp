// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/policy/keyed_policy.hpp>

#include "detail/crew.hpp"
#include "detail/fork_local.hpp"
#include "detail/key_table.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

key_scope_node::key_scope_node(const std::type_info& type, const void* key) noexcept
    : type_(type),
      key_(key),
      outer_(thread_state::of_this_thread().keys),
      entered_in_(thread_state::of_this_thread().run)
{
    thread_state::of_this_thread().keys = this;
}

key_scope_node::~key_scope_node()
{
    thread_state::of_this_thread().keys = outer_;
}

bool key_scope_node::is_inside_of_run() const noexcept
{
    return entered_in_ != nullptr && entered_in_ == thread_state::of_this_thread().run;
}

void key_scope_node::hold(std::uint64_t policy, asio::io_context& loop) const
{
    const auto found = std::find_if(
        held_.begin(), held_.end(), [&](const auto& each) { return each.first == policy; });
    if (found == held_.end())
        held_.emplace_back(policy, lease(loop, 0));
    else
        found->second = lease(loop, 0);
}

const key_scope_node* key_scope_node::innermost(const std::type_info& type) noexcept
{
    const key_scope_node* each = thread_state::of_this_thread().keys;
    while (each != nullptr && each->type_ != type)
        each = each->outer_;
    return each;
}

key_type::~key_type() = default;

} // namespace detail

struct keyed_policy_base::impl
{
    impl(std::unique_ptr<detail::key_type> keys, keyed_options how,
        std::shared_ptr<detail::policy_core> policy)
        : type(std::move(keys)),
          options(std::move(how)),
          core(std::move(policy)),
          present(renewing, [this] {
              started_at = 0;
              return std::make_shared<detail::key_table>(options.name,
                  runs_its_loops() ? core->threads() : nullptr, options.drop_idle_after);
          })
    {}

    // The table of this process.
    detail::key_table& here() { return *present.get(); }

    bool runs_its_loops() const noexcept { return options.run_by == run_by::policy; }

    const std::unique_ptr<detail::key_type> type;
    const keyed_options options;
    // How often the threads had been told to stop when they were last started.
    std::atomic<std::uint64_t> started_at{0};
    std::atomic<std::uint64_t> unnamed{0}; // loops whose keys cannot be printed

private:
    const std::shared_ptr<detail::policy_core> core;
    detail::fork_mutex renewing;
    const detail::fork_local<detail::key_table> present;
};

struct keyed_policy_base::question : detail::key_question
{
    question(const detail::key_type& of_type, const void* value,
        const detail::key_scope_node* entered = nullptr)
        : key_question{value, of_type.hash(value), &of_type, entered}
    {}

    // For messages, with a space before it.
    std::string describe() const
    {
        const std::string text = type->print(key);
        return text.empty() ? std::string() : " '" + text + "'";
    }
};

namespace {

keyed_options checked(keyed_options options)
{
    if (options.drop_idle_after.count() < 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a keyed policy '" + options.name +
                "' that drops idle loops after a negative time; give 0 to drop none");
    return options;
}

[[noreturn]] void no_key(const std::string& attempted, const std::string& policy)
{
    detail::throw_error(error::no_current_event_loop,
        attempted + " by policy '" + policy + "' on " + platform::describe_thread() +
            ", whose context has no key; enter a key_scope, or give the policy a function that "
            "finds one");
}

} // namespace

keyed_policy_base::keyed_policy_base(std::unique_ptr<detail::key_type> type, keyed_options options)
    : impl_(std::make_unique<impl>(std::move(type), checked(std::move(options)), core()))
{}

keyed_policy_base::~keyed_policy_base()
{
    detail::tear_down(core(), impl_->here().release());
}

std::string keyed_policy_base::name() const
{
    return "keyed";
}

std::size_t keyed_policy_base::size() const
{
    return impl_->here().size();
}

// What `with` makes of the context's key: the running loop on a thread of the policy's outside of
// scopes, and null where there is no key.
asio::io_context* keyed_policy_base::in_context(
    const std::function<asio::io_context*(const question&)>& with)
{
    const detail::key_type& type = *impl_->type;
    if (const auto* const scope = detail::key_scope_node::innermost(type.type()))
        return with(question(type, scope->key(), scope));
    if (impl_->runs_its_loops() && core()->threads()->inside())
        return detail::recorded_running_loop();
    return type.in_context([&](const void* key) { return with(question(type, key)); });
}

asio::io_context& keyed_policy_base::get_event_loop()
{
    check_open("asking for the current loop");
    asio::io_context* const loop =
        in_context([this](const question& of) { return &find_or_make(of); });
    if (loop == nullptr)
        no_key("asking for the current loop", name());
    return *loop;
}

asio::io_context* keyed_policy_base::existing_event_loop() noexcept
{
    try
    {
        return in_context([this](const question& of) { return impl_->here().find(of).loop; });
    }
    catch (...) // by the user's function, or what handles his keys
    {
        return nullptr;
    }
}

asio::io_context& keyed_policy_base::loop_of(const void* key)
{
    check_open("asking for a key's loop");
    return find_or_make(question(*impl_->type, key));
}

asio::io_context& keyed_policy_base::find_or_make(const question& of)
{
    detail::key_table& table = impl_->here();
    detail::key_table::answer found = table.find(of);
    if (found.loop == nullptr && !found.emptied && impl_->options.on_demand)
    {
        // Made without a lock: a user's factory may come back here.
        std::unique_ptr<event_loop> made = make_loop_of(of);
        found = table.find_or_keep(of, made);
        detail::end_loop(std::move(made), false); // another thread was faster
    }
    if (found.loop == nullptr)
        detail::throw_error(error::no_current_event_loop,
            "asking policy '" + name() + "' for the loop of key" + of.describe() + " on " +
                platform::describe_thread() +
                (found.emptied ? "; it was taken away or has died: set one, or drop the key"
                               : "; set one in a key_scope with set_event_loop()"));
    return *found.loop;
}

std::unique_ptr<event_loop> keyed_policy_base::make_loop_of(const question& of)
{
    const std::string printed = of.type->print(of.key);
    const std::string key = printed.empty() ? std::to_string(impl_->unnamed++) : printed;
    std::unique_ptr<event_loop> loop = make_loop(impl_->options.name + "-" + key);
    if (!impl_->runs_its_loops())
        return loop;
    // Brings Asio's reactor, so that the thread waits there, as threaded_policy's does.
    const asio::steady_timer reactor(*loop);
    const auto threads = core()->threads();
    const auto ends = [table = impl_->here().weak_from_this(),
                          record = detail::record_of(*loop)]() noexcept {
        const auto of_loop = table.lock();
        return of_loop && of_loop->ends(*record);
    };
    threads->keep_running(*loop, {loop->name(), {}, {}, {}, ends});
    detail::loop_access::give_to(*loop, threads);
    return loop;
}

void keyed_policy_base::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    bool done = false;
    const auto set = [&](const question& of) -> asio::io_context* {
        impl_->here().set(of, loop);
        done = true;
        return nullptr;
    };
    if (in_context(set) != nullptr)
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "setting the current loop of " + platform::describe_thread() + ", which policy '" +
                name() + "' made to run the loop it has; enter a key_scope to set another key's");
    if (!done)
        no_key("setting the current loop", name());
}

bool keyed_policy_base::drop_key(const void* key)
{
    return impl_->here().drop(question(*impl_->type, key));
}

// New work on a loop that no thread runs any more would wait for ever.
void keyed_policy_base::check_started(const char* attempted) const
{
    check_open(attempted);
    if (impl_->runs_its_loops() && impl_->started_at != core()->threads()->stops())
        detail::throw_error(error::policy_closed,
            std::string(attempted) + " by policy '" + name() + "' on " +
                platform::describe_thread() + ", which is draining or stopped; start() it first");
}

asio::io_context& keyed_policy_base::select_event_loop(const selection& what)
{
    impl_->here(); // which is as fresh as its threads in a forked child
    check_started("selecting a loop");
    const detail::key_type& type = *impl_->type;
    if (what.key)
    {
        asio::io_context* const chosen = type.of_number(
            *what.key, [&](const void* key) { return &find_or_make(question(type, key)); });
        if (chosen != nullptr)
            return *chosen;
    }
    const auto* const scope = detail::key_scope_node::innermost(type.type());
    if (scope != nullptr && scope->is_inside_of_run())
        return find_or_make(question(type, scope->key(), scope));
    return current_or_running_loop();
}

void keyed_policy_base::for_each_loop(const std::function<void(asio::io_context&)>& visit)
{
    check_open("asking for the loops");
    in_context([this](const question& of) { return &find_or_make(of); });
    std::vector<lease> held;
    for (const auto& each : impl_->here().all(held))
    {
        if (asio::io_context* const loop = each->context())
            visit(*loop);
    }
}

void keyed_policy_base::start()
{
    check_open("starting the policy");
    if (!impl_->runs_its_loops())
        return;
    impl_->here();
    const auto threads = core()->threads();
    threads->settle();
    const std::uint64_t stops = threads->stops();
    threads->restart();
    impl_->started_at = stops;
}

void keyed_policy_base::run_started(std::uint64_t since)
{
    if (!impl_->runs_its_loops())
        return event_loop_policy::run_started(since);
    core()->threads()->wait_for_stop(since);
    join();
}

void keyed_policy_base::close()
{
    impl_->here().check_none_runs();
    event_loop_policy::close();
    auto loops = impl_->here().release();
    detail::end_loops(loops, true);
}

} // namespace LOOPS_ABI
} // namespace loops
