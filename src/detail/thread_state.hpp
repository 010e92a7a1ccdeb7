// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_THREAD_STATE_HPP
#define LOOPS_SRC_DETAIL_THREAD_STATE_HPP

#include <loops/config.hpp>
#include <loops/policy.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class crew;
class hosting_run;
class key_scope_node;
class loop_record;

// One run of a loop by Loops on this thread; it lives on the stack of the function that runs.
struct run_frame
{
    std::shared_ptr<loop_record> record;
    run_frame* outer = nullptr;
    unsigned fork_generation = 0;
    bool untimed = false;     // inside of a run function of Asio that may execute many handlers
    bool of_policy = false;   // on a thread that a policy made for it
    bool refused = false;     // the loop cannot be run here as it is
    std::uint64_t probes = 0; // how many of its handlers were only that
    std::shared_ptr<hosting_run> hosting;   // while the loop has guests
    std::atomic<std::uint64_t> handlers{0}; // all others, while they are counted
    // What the thread has used of its CPU to poll in vain, while runs are counted.
    std::atomic<std::chrono::nanoseconds> spun{std::chrono::nanoseconds(0)};
};

// The handler that this thread executes is none of anybody's: it is not counted.
void count_as_probe() noexcept;

// That this thread is one of a crew's, or a caller inside of its run, as to one loop; it lives on the
// stack of the function that runs.
struct crew_membership
{
    const crew* of = nullptr;
    const asio::io_context* loop = nullptr;
    crew_membership* outer = nullptr;
};

// While it lives on the stack, loops that this thread is given by a policy that drops idle ones stay.
class acquisition
{
public:
    acquisition();
    acquisition(const acquisition&) = delete;
    acquisition& operator=(const acquisition&) = delete;
    ~acquisition();

    lease given;

private:
    acquisition* const outer_;
};

// What a thread knows. There is one definition, in this library, so that every shared object of
// the process agrees on the current loop. Constant-initialised and trivially destructible: reading
// it costs one look-up of thread-local storage and no guard.
struct thread_state
{
    // The answer of get_event_loop(), good as long as the loop epoch is the same.
    asio::io_context* memo = nullptr;
    std::uint64_t memo_epoch = 0;

    // The loop that was called last and its record, on the same condition.
    const asio::io_context* called = nullptr;
    loop_record* called_record = nullptr;
    std::uint64_t called_epoch = 0;

    run_frame* run = nullptr;
    policy_scope* scope = nullptr;
    const key_scope_node* keys = nullptr; // the innermost key_scope, of whatever type
    crew_membership* crews = nullptr;
    acquisition* acquiring = nullptr;

    // The system's number of the thread.
    pid_type number() noexcept;

    static thread_state& of_this_thread() noexcept;

    // A policy's own thread was started with all signals blocked; it takes the one by which stacks are
    // taken while that is in use. Threads of others keep their masks.
    void take_stack_signal() noexcept;

    // The thread goes on in a forked child.
    void enter_child() noexcept;

private:
    int stack_signal_ = 0; // that it was made to take
    pid_type number_ = 0;
};

// The policy that answers for this thread: the innermost scope's, else the process's.
std::shared_ptr<event_loop_policy> policy_of_this_thread();

// The loop that Loops runs on this thread, or null.
asio::io_context* recorded_running_loop() noexcept;

// The same, unless a policy_scope was entered inside that run: then the scope's policy speaks.
asio::io_context* running_loop_inside_scope() noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
