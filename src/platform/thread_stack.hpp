// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_THREAD_STACK_HPP
#define LOOPS_SRC_PLATFORM_THREAD_STACK_HPP

#include <loops/config.hpp>

#include <string>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// The stack of a thread.
struct thread_stack
{
    std::vector<const void*> frames; // the innermost first
    std::string why_not;             // where there are none
    bool answer = false;             // what the question was answered with on the thread
};

/// Asked on a thread while its stack is taken: it may do no more than a signal handler may.
struct thread_question
{
    bool (*ask)(const void* about) = nullptr;
    const void* about = nullptr;
};

/// Takes the stacks of other threads of the process, by a signal that nobody uses. There is one at a
/// time, and one thread that takes.
class stack_taker
{
public:
    /// Puts a handler where the signal had none. 0: chooses a real-time signal, the highest first.
    /// Throws system_error: `device_or_resource_busy` where the signal, or each of them, has a
    /// handler or is ignored; `invalid_argument` for a signal that cannot be had.
    explicit stack_taker(int signal);

    stack_taker(const stack_taker&) = delete;
    stack_taker& operator=(const stack_taker&) = delete;

    /// Puts back what was there.
    ~stack_taker();

    int signal() const noexcept { return signal_; }

    /// Waits a tenth of a second at the most.
    thread_stack take(pid_type thread, thread_question question = {}) const;

private:
    int signal_ = 0;
};

/// The signal of the one that there is; 0 where there is none.
int stack_signal() noexcept;

/// Whether the calling thread is to take the signal. Returns whether it did before.
bool let_signal_through(int signal, bool on) noexcept;

/// What is known of the code at an address: `function (library.so+0x1234)`.
std::string describe_frame(const void* address);

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
