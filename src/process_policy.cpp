// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/make_policy.hpp>
#include <loops/policy.hpp>
#include <loops/policy/default_policy.hpp>

#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_state.hpp"

#include <cstdlib>
#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

struct process_slot
{
    detail::fork_mutex mutex;
    std::shared_ptr<event_loop_policy> policy;
};

// Never destroyed, so that code which runs during static destruction still finds a policy.
process_slot& process()
{
    static process_slot& it = *new process_slot;
    return it;
}

// Ends the process's policy when the process ends, so that no thread of it outlives `main` by much.
struct at_exit
{
    at_exit() = default;
    at_exit(const at_exit&) = delete;
    at_exit& operator=(const at_exit&) = delete;

    ~at_exit()
    {
        std::shared_ptr<event_loop_policy> last;
        const std::lock_guard lock(process().mutex);
        last.swap(process().policy);
    }
};

void end_at_exit()
{
    static const at_exit end;
}

std::shared_ptr<event_loop_policy> first_policy()
{
    const char* const words = std::getenv("LOOPS_POLICY");
    if (words != nullptr && *words != '\0')
        return make_policy(words);
    return std::make_shared<default_policy>();
}

std::shared_ptr<event_loop_policy> process_policy()
{
    end_at_exit();
    {
        const std::lock_guard lock(process().mutex);
        if (process().policy)
            return process().policy;
    }
    auto made = first_policy(); // outside the lock: it may throw, and may ask for loops
    const std::lock_guard lock(process().mutex);
    if (!process().policy)
        process().policy = std::move(made);
    return process().policy;
}

} // namespace

namespace detail {

std::shared_ptr<event_loop_policy> policy_of_this_thread()
{
    const policy_scope* const scope = thread_state::of_this_thread().scope;
    return scope != nullptr ? scope->policy() : process_policy();
}

} // namespace detail

std::shared_ptr<event_loop_policy> get_event_loop_policy()
{
    return detail::policy_of_this_thread();
}

void set_event_loop_policy(std::shared_ptr<event_loop_policy> policy)
{
    end_at_exit();
    if (!policy)
        policy = std::make_shared<default_policy>();
    policy->core_->retired = false;
    auto old = policy;
    {
        const std::lock_guard lock(process().mutex);
        process().policy.swap(old);
    }
    detail::next_loop_epoch();
    // Whoever drops it last, its threads then go on until their loops are out of work. One that the
    // new policy wraps, or the other way round, stays in use.
    if (old && old->core_ != policy->core_)
        old->core_->retired = true;
}

} // namespace LOOPS_ABI
} // namespace loops
