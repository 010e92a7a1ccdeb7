// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/thread_stack.hpp"

#include "platform/system.hpp"

#include <boost/core/demangle.hpp>
#include <boost/stacktrace/safe_dump_to.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <thread>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

constexpr std::size_t most_frames = 64;
constexpr std::chrono::milliseconds patience{100};
constexpr std::chrono::microseconds glance{200};

// The one request that may be open, and its answer. A signal that comes late, when nobody waits for
// it any more, finds another number here. The number is in the upper bits, the phase in the two last.
struct stack_request
{
    static constexpr std::uint64_t open = 1;
    static constexpr std::uint64_t being_answered = 2;
    static constexpr std::uint64_t answered = 3;

    std::atomic<std::uint64_t> state{0};
    thread_question question;
    bool answer = false;
    std::uintptr_t interrupted_at = 0;
    std::size_t size = 0;
    const void* frames[most_frames + 1] = {}; // and the 0 that ends them
};

stack_request request;

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "for use in a signal handler");

// The signal that has our handler; and what it had before.
std::atomic<int> handled{0};
struct sigaction before
{};

std::uintptr_t program_counter(const void* context) noexcept
{
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(
        static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.pc);
#else
    (void)context;
    return 0; // the frames of the signal are shown with the others
#endif
}

void on_signal(int, siginfo_t* info, void* context)
{
    if (info->si_code != SI_QUEUE || info->si_pid != ::getpid())
        return;
    const int error = errno;
    const auto number = reinterpret_cast<std::uintptr_t>(info->si_value.sival_ptr);
    std::uint64_t expected = (std::uint64_t(number) << 2U) | request.open;
    if (request.state.compare_exchange_strong(
            expected, (std::uint64_t(number) << 2U) | request.being_answered))
    {
        request.interrupted_at = program_counter(context);
        request.answer =
            request.question.ask != nullptr && request.question.ask(request.question.about);
        request.size = boost::stacktrace::safe_dump_to(
            0, static_cast<void*>(request.frames), sizeof request.frames);
        request.state.store((std::uint64_t(number) << 2U) | request.answered);
    }
    errno = error;
}

bool is_ours(int signal) noexcept
{
    struct sigaction now = {};
    return ::sigaction(signal, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
           now.sa_sigaction == on_signal;
}

// That it is ignored for a moment has the kernel drop what is under way to threads that were not to
// be had in time: it would end the process once there is no handler any more.
void put_back(int signal) noexcept
{
    if (!is_ours(signal))
        return; // somebody else's by now
    struct sigaction ignored = {};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(signal, &ignored, nullptr);
    ::sigaction(signal, &before, nullptr);
}

void put_back_in_child()
{
    if (const int signal = handled.exchange(0))
        put_back(signal);
}

[[noreturn]] void refuse(int code, const std::string& attempted)
{
    throw boost::system::system_error(code, boost::system::generic_category(), attempted);
}

// False where the signal has a handler, or is ignored.
bool install(int signal)
{
    if (::sigaction(signal, nullptr, &before) != 0 || (before.sa_flags & SA_SIGINFO) != 0 ||
        before.sa_handler != SIG_DFL)
        return false;
    struct sigaction ours = {};
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    return ::sigaction(signal, &ours, nullptr) == 0;
}

// Whether the thread blocks the signal.
bool is_blocked(pid_type thread, int signal)
{
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    for (std::string line; std::getline(status, line);)
    {
        if (line.rfind("SigBlk:", 0) == 0)
            return ((std::stoull(line.substr(7), nullptr, 16) >> unsigned(signal - 1)) & 1U) != 0;
    }
    return false;
}

std::uint64_t open_request(thread_question question)
{
    static std::uint64_t last = 0; // there is one thread that takes
    request.question = question;
    request.state.store((++last << 2U) | request.open);
    return last;
}

bool send(pid_type thread, int signal, std::uint64_t number) noexcept
{
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = ::getpid();
    info.si_uid = ::getuid();
    // A number on its way through the kernel, which nobody takes for an address.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    info.si_value.sival_ptr = reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
    return ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), thread, signal, &info) == 0;
}

bool wait_for_answer(std::uint64_t number)
{
    const auto until = std::chrono::steady_clock::now() + patience;
    const std::uint64_t answered = (number << 2U) | request.answered;
    while (request.state.load() != answered)
    {
        std::uint64_t expected = (number << 2U) | request.open;
        if (std::chrono::steady_clock::now() >= until &&
            request.state.compare_exchange_strong(expected, 0))
            return false;
        std::this_thread::sleep_for(glance); // a signal handler may notify no condition variable
    }
    return true;
}

// Without those of the signal's own handling, where it can be seen which these are.
std::vector<const void*> frames_of_request()
{
    std::vector<const void*> frames(
        request.frames, request.frames + std::min(request.size, most_frames));
    const auto interrupted = std::find_if(frames.begin(), frames.end(), [](const void* each) {
        return reinterpret_cast<std::uintptr_t>(each) == request.interrupted_at;
    });
    if (interrupted != frames.end())
        frames.erase(frames.begin(), interrupted);
    while (!frames.empty() && frames.back() == nullptr)
        frames.pop_back();
    // Where a call returns to may be another function's beginning.
    for (std::size_t i = 1; i < frames.size(); ++i)
        frames[i] = static_cast<const char*>(frames[i]) - 1;
    return frames;
}

} // namespace

stack_taker::stack_taker(int signal)
{
    static const bool at_forks = (at_fork(nullptr, nullptr, put_back_in_child), true);
    (void)at_forks;
    // Its first use loads a library, which a signal handler must not.
    boost::stacktrace::safe_dump_to(0, static_cast<void*>(request.frames), sizeof request.frames);
    if (signal != 0)
    {
        if (signal < 0 || signal > SIGRTMAX || signal == SIGKILL || signal == SIGSTOP)
            refuse(EINVAL, "taking stacks by signal " + std::to_string(signal));
        if (!install(signal))
            refuse(EBUSY, "taking stacks by signal " + std::to_string(signal) +
                              ", which has a handler or is ignored");
        signal_ = signal;
    }
    for (int each = SIGRTMAX; signal_ == 0 && each >= SIGRTMIN; --each)
    {
        if (install(each))
            signal_ = each;
    }
    if (signal_ == 0)
        refuse(EBUSY, "taking stacks: each real-time signal has a handler or is ignored");
    handled = signal_;
}

stack_taker::~stack_taker()
{
    if (handled.exchange(0) == signal_)
        put_back(signal_);
}

thread_stack stack_taker::take(pid_type thread, thread_question question) const
{
    thread_stack taken;
    const std::string named = "signal " + std::to_string(signal_);
    if (!is_ours(signal_))
    {
        taken.why_not = named + " has been given another handler";
        return taken;
    }
    if (is_blocked(thread, signal_))
    {
        taken.why_not = "the thread blocks " + named;
        return taken;
    }
    const std::uint64_t number = open_request(question);
    if (!send(thread, signal_, number))
    {
        request.state = 0;
        taken.why_not = "the thread has ended";
    }
    else if (!wait_for_answer(number))
    {
        taken.why_not = "the thread did not take " + named + " in time";
    }
    else
    {
        taken.answer = request.answer;
        taken.frames = frames_of_request();
    }
    return taken;
}

int stack_signal() noexcept
{
    return handled;
}

bool let_signal_through(int signal, bool on) noexcept
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigset_t was;
    pthread_sigmask(on ? SIG_UNBLOCK : SIG_BLOCK, &one, &was);
    return sigismember(&was, signal) == 0;
}

std::string describe_frame(const void* address)
{
    Dl_info found{};
    char offset[32];
    if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr)
    {
        std::snprintf(offset, sizeof offset, "%p", address);
        return offset;
    }
    const std::string path = found.dli_fname;
    std::snprintf(offset, sizeof offset, "+0x%llx",
        static_cast<unsigned long long>(
            static_cast<const char*>(address) - static_cast<const char*>(found.dli_fbase)));
    const std::string where = path.substr(path.rfind('/') + 1) + offset;
    return found.dli_sname != nullptr ? boost::core::demangle(found.dli_sname) + " (" + where + ')'
                                      : where;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
