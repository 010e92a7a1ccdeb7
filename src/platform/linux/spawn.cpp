// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/spawn.hpp"

#include "platform/fault.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/spawn_error.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <new>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// The child's part runs in the parent's memory, on a stack that no sanitizer knows of, and beside a runtime
// of theirs that takes it for the parent's thread.
#define LOOPS_BARE __attribute__((no_sanitize("address", "thread", "undefined")))

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

constexpr unsigned unshare_flag = 1U << 1; // CLOSE_RANGE_UNSHARE
constexpr int last_signal = 64;
constexpr std::size_t signal_set_size = last_signal / 8;

// What the child tells by the memory that it shares.
struct child_part
{
    spawn_plan* plan;
    pid_t parent;
    bool shares_table; // of descriptors, with the parent
    spawn_call call;
    int number;
};

struct kernel_action
{
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
};

LOOPS_BARE bool fail(child_part& it, spawn_call call) noexcept
{
    it.call = call;
    it.number = errno;
    return false;
}

// All handlers go: they are the parent's, and would run in its memory as soon as signals are let in.
LOOPS_BARE void reset_signals() noexcept
{
    const kernel_action by_default{};
    for (int signal = 1; signal <= last_signal; ++signal)
    {
        if (signal != SIGKILL && signal != SIGSTOP)
            ::syscall(SYS_rt_sigaction, signal, &by_default, nullptr, signal_set_size);
    }
}

LOOPS_BARE void let_signals_in() noexcept
{
    const std::uint64_t none = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, signal_set_size);
}

LOOPS_BARE void close_range(unsigned first, unsigned last) noexcept
{
    if (first > last || ::syscall(SYS_close_range, first, last, 0) == 0 || errno != ENOSYS)
        return;
    rlimit files{}; // Linux before 5.9
    ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &files);
    for (unsigned number = first; number <= last && number < files.rlim_cur; ++number)
        ::syscall(SYS_close, number);
}

// Closes what is before a number that stays; gives the number after that.
LOOPS_BARE unsigned close_before(unsigned next, int number) noexcept
{
    const auto stays = static_cast<unsigned>(number);
    if (stays > next)
        close_range(next, stays - 1);
    return stays + 1;
}

LOOPS_BARE int highest(const spawn_plan& plan) noexcept
{
    int most = plan.cgroup > 2 ? plan.cgroup : 2;
    most = plan.setup_highest > most ? plan.setup_highest : most;
    for (std::size_t i = 0; i < plan.descriptor_count; ++i)
    {
        const planned_descriptor& each = plan.descriptors[i];
        most = each.number > most ? each.number : most;
        most = each.from > most ? each.from : most;
    }
    return most;
}

// Gives the child a table of its own where it shares the parent's: without what it would close, which is
// nearly all where that is large.
LOOPS_BARE bool unshare_table(child_part& it) noexcept
{
    if (!it.shares_table ||
        ::syscall(SYS_close_range, highest(*it.plan) + 1, ~0U, unshare_flag) == 0)
        return true;
    if (errno == ENOSYS && ::syscall(SYS_unshare, CLONE_FILES) == 0) // Linux before 5.9
        return true;
    return fail(it, spawn_call::close_range);
}

// Those that would be written over before they are copied go above all.
LOOPS_BARE bool move_sources(child_part& it) noexcept
{
    spawn_plan& plan = *it.plan;
    if (plan.descriptor_count == 0)
        return true;
    const int most = plan.descriptors[plan.descriptor_count - 1].number;
    for (std::size_t i = 0; i < plan.descriptor_count; ++i)
    {
        planned_descriptor& each = plan.descriptors[i];
        if (each.from > most || each.from == each.number)
            continue;
        const long moved = each.from == planned_descriptor::null_device
                               ? ::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0)
                               : ::syscall(SYS_fcntl, each.from, F_DUPFD_CLOEXEC, most + 1);
        if (moved < 0)
            return fail(it, each.from == planned_descriptor::null_device ? spawn_call::open
                                                                         : spawn_call::fcntl);
        each.from = static_cast<int>(moved);
    }
    return true;
}

LOOPS_BARE bool place_descriptors(child_part& it) noexcept
{
    const spawn_plan& plan = *it.plan;
    for (std::size_t i = 0; i < plan.descriptor_count; ++i)
    {
        const planned_descriptor& each = plan.descriptors[i];
        if (each.from == each.number)
        {
            // One that the parent itself has closed stays so.
            if (::syscall(SYS_fcntl, each.number, F_SETFD, 0) != 0 && errno != EBADF)
                return fail(it, spawn_call::fcntl);
        }
        else if (::syscall(SYS_dup3, each.from, each.number, 0) < 0)
        {
            return fail(it, spawn_call::dup2);
        }
    }
    unsigned next = 0;
    for (std::size_t i = 0; i < plan.descriptor_count; ++i)
        next = close_before(next, plan.descriptors[i].number);
    close_range(next, ~0U);
    return true;
}

LOOPS_BARE bool join_groups(child_part& it) noexcept
{
    const spawn_plan& plan = *it.plan;
    if (plan.parent_death_signal != 0)
    {
        if (::syscall(SYS_prctl, PR_SET_PDEATHSIG, plan.parent_death_signal, 0, 0, 0) != 0)
            return fail(it, spawn_call::prctl);
        // It may have died before.
        if (::syscall(SYS_getppid) != it.parent)
            ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGKILL);
    }
    if (plan.new_session && ::syscall(SYS_setsid) < 0) // which makes a group as well
        return fail(it, spawn_call::setsid);
    if (!plan.new_session && plan.process_group >= 0 &&
        ::syscall(SYS_setpgid, 0, plan.process_group) != 0)
        return fail(it, spawn_call::setpgid);
    if (plan.cgroup >= 0 && ::syscall(SYS_write, plan.cgroup, "0", 1) != 1)
        return fail(it, spawn_call::cgroup);
    return true;
}

// By the system calls themselves: the C library would change all threads of the parent.
LOOPS_BARE bool become_user(child_part& it) noexcept
{
    const planned_user* const user = it.plan->user;
    if (user == nullptr)
        return true;
    if (::syscall(SYS_setgroups, user->group_count, user->groups) != 0)
        return fail(it, spawn_call::setgroups);
    if (::syscall(SYS_setresgid, user->group, user->group, user->group) != 0)
        return fail(it, spawn_call::setgid);
    if (::syscall(SYS_setresuid, user->user, user->user, user->user) != 0)
        return fail(it, spawn_call::setuid);
    // Which the change of the user has undone.
    if (it.plan->parent_death_signal != 0)
        ::syscall(SYS_prctl, PR_SET_PDEATHSIG, it.plan->parent_death_signal, 0, 0, 0);
    return true;
}

LOOPS_BARE bool set_limits(child_part& it) noexcept
{
    const spawn_plan& plan = *it.plan;
    for (std::size_t i = 0; i < plan.limit_count; ++i)
    {
        const planned_limit& each = plan.limits[i];
        if (::syscall(SYS_prlimit64, 0, each.resource, &each.values, nullptr) != 0)
            return fail(it, spawn_call::setrlimit);
    }
    return true;
}

// As execvp() tries them: a file that may not be executed hides none behind it, but is told of if there is
// no other.
LOOPS_BARE void execute(child_part& it) noexcept
{
    int refused = 0;
    for (const char* const* each = it.plan->programs; *each != nullptr; ++each)
    {
        ::syscall(SYS_execve, *each, it.plan->arguments, it.plan->environment);
        if (errno == EACCES)
            refused = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            break;
    }
    if (refused != 0 && (errno == ENOENT || errno == ENOTDIR))
        errno = refused;
    fail(it, spawn_call::execve);
}

LOOPS_BARE int child_main(void* argument)
{
    child_part& it = *static_cast<child_part*>(argument);
    const spawn_plan& plan = *it.plan;
    if (!unshare_table(it))
        ::_exit(127);
    reset_signals();
    bool ready = join_groups(it) && set_limits(it) && become_user(it);
    if (ready && plan.umask >= 0)
        ::syscall(SYS_umask, plan.umask);
    if (ready && plan.directory != nullptr && ::syscall(SYS_chdir, plan.directory) != 0)
        ready = fail(it, spawn_call::chdir);
    if (ready && plan.setup != nullptr)
    {
        errno = plan.setup(plan.context);
        ready = errno == 0 || fail(it, spawn_call::setup);
    }
    else if (ready)
    {
        ready = move_sources(it) && place_descriptors(it);
    }
    if (ready)
    {
        let_signals_in();
        execute(it);
    }
    ::syscall(SYS_exit, 127);
    return 127;
}

// Blocks every signal, those of the C library's too, on this thread while it lives.
class signals_held_off
{
public:
    signals_held_off() noexcept
    {
        const std::uint64_t all = ~std::uint64_t(0);
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, signal_set_size);
    }
    signals_held_off(const signals_held_off&) = delete;
    signals_held_off& operator=(const signals_held_off&) = delete;
    ~signals_held_off()
    {
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, signal_set_size);
    }

private:
    std::uint64_t before_ = 0;
};

#if defined(__SANITIZE_THREAD__)
constexpr bool may_share_memory = false; // the sanitizer's own clone() takes the child for a fork
#elif defined(__has_feature)
constexpr bool may_share_memory = !__has_feature(thread_sanitizer);
#else
constexpr bool may_share_memory = true;
#endif

// The kernel copies the table of descriptors for a child that does not share it. Whether that would be
// long: new descriptors have the lowest number that is free, so the last one tells about how many are open.
constexpr int many_descriptors = 256;
std::atomic<int> last_pidfd{0};

// The child's stack is a part of this thread's, which waits meanwhile.
constexpr std::size_t stack_size = std::size_t(16) * 1024;

// Whether the kernel, or a filter of system calls, does not know such a clone.
bool is_unsupported(int number) noexcept
{
    return number == ENOSYS || number == EPERM || number == EINVAL;
}

// Has the child do its part, and waits until it is its program, or has failed: CLONE_VFORK is that.
void run_child(child_part& child, int flags, const char* name, spawned& it) noexcept
{
    alignas(16) unsigned char stack[stack_size];
    const int error_before = errno;
    const signals_held_off held;
    // The end of a child that never was its program sends no signal: exec() has it send SIGCHLD.
    it.pid = injected_fault(name) ? -1
                                  : ::clone(&child_main, stack + stack_size,
                                        flags | CLONE_VFORK | CLONE_PIDFD, &child, &it.pidfd);
    if (it.pid < 0)
        fail(child, spawn_call::clone);
    else if (child.number != 0) // nobody else waits for what sends no signal
        ::syscall(SYS_waitid, P_PID, it.pid, nullptr, WEXITED | __WALL, nullptr);
    errno = error_before;
}

error_code result_of(const child_part& child, spawned& it) noexcept
{
    if (child.number == 0)
        return {};
    close_descriptor(it.pidfd);
    it = {};
    return make_spawn_error(child.call, child.number);
}

// False where such a clone is refused as a rule; a shortage is told.
bool spawn_in_our_memory(spawn_plan& plan, spawned& it, error_code& ec) noexcept
{
    // What is below the highest that the child needs it takes a copy of, shared or not.
    const int last = last_pidfd.load();
    const bool shares_table = last >= many_descriptors && highest(plan) < last;
    child_part child{&plan, ::getpid(), shares_table, {}, 0};
    run_child(child, CLONE_VM | (shares_table ? CLONE_FILES : 0), "clone", it);
    ec = result_of(child, it);
    if (!ec)
        last_pidfd = it.pidfd;
    return !ec || child.call != spawn_call::clone || !is_unsupported(child.number);
}

// In a copy of our memory, as a fork has it, but for what the child tells.
spawned spawn_in_a_copy(spawn_plan& plan, error_code& ec) noexcept
{
    void* const shared = ::mmap(
        nullptr, sizeof(child_part), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
    {
        ec = make_spawn_error(spawn_call::clone, errno);
        return {};
    }
    auto& child = *::new (shared) child_part{&plan, ::getpid(), false, {}, 0};
    spawned it;
    run_child(child, 0, "fork", it);
    ec = result_of(child, it);
    ::munmap(shared, sizeof(child_part));
    error_code ignored;
    if (!ec && it.pidfd < 0) // Linux before 5.2
        it.pidfd = open_pidfd(it.pid, ignored);
    return it;
}

// What posix_spawn() has words for.
bool is_for_posix_spawn(const spawn_plan& plan) noexcept
{
    return plan.user == nullptr && plan.limit_count == 0 && plan.parent_death_signal == 0 &&
           plan.cgroup < 0 && plan.setup == nullptr && plan.umask < 0;
}

// A plan in the words of posix_spawn().
class posix_spawn_request
{
public:
    explicit posix_spawn_request(const spawn_plan& plan) noexcept : plan_(plan)
    {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawnattr_init(&attributes_);
    }
    posix_spawn_request(const posix_spawn_request&) = delete;
    posix_spawn_request& operator=(const posix_spawn_request&) = delete;
    ~posix_spawn_request()
    {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
        for (const int fd : copies_)
            close_descriptor(fd);
    }

    error_code prepare()
    {
        sigset_t all;
        sigset_t none;
        ::sigfillset(&all);
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
        if (plan_.new_session)
            flags |= POSIX_SPAWN_SETSID;
        else if (plan_.process_group >= 0)
            flags |= POSIX_SPAWN_SETPGROUP;
        ::posix_spawnattr_setpgroup(&attributes_, plan_.process_group);
        ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
        if (plan_.directory != nullptr)
            ::posix_spawn_file_actions_addchdir_np(&actions_, plan_.directory);
        return prepare_descriptors();
    }

    spawned start(error_code& ec) noexcept
    {
        int refused = 0;
        int number = ENOENT;
        for (const char* const* each = plan_.programs; *each != nullptr; ++each)
        {
            spawned it;
            number = injected_fault("posix_spawn")
                         ? errno
                         : ::posix_spawn(&it.pid, *each, &actions_, &attributes_,
                               const_cast<char* const*>(plan_.arguments),
                               const_cast<char* const*>(plan_.environment));
            if (number == 0)
            {
                error_code ignored;
                it.pidfd = open_pidfd(it.pid, ignored);
                return it;
            }
            if (number == EACCES)
                refused = EACCES;
            else if (number != ENOENT && number != ENOTDIR)
                break;
        }
        if (refused != 0 && (number == ENOENT || number == ENOTDIR))
            number = refused;
        ec = make_spawn_error(spawn_call::posix_spawn, number);
        return {};
    }

private:
    // Copies above all numbers that are written to; the child closes them with the rest.
    error_code prepare_descriptors()
    {
        const int most =
            plan_.descriptor_count > 0 ? plan_.descriptors[plan_.descriptor_count - 1].number : -1;
        copies_.reserve(plan_.descriptor_count);
        int next = 0;
        for (std::size_t i = 0; i < plan_.descriptor_count; ++i)
        {
            const planned_descriptor& each = plan_.descriptors[i];
            if (each.from == planned_descriptor::null_device)
            {
                ::posix_spawn_file_actions_addopen(&actions_, each.number, "/dev/null", O_RDWR, 0);
                continue;
            }
            const int copy = ::fcntl(each.from, F_DUPFD_CLOEXEC, most + 1);
            if (copy >= 0)
                copies_.push_back(copy);
            else if (errno != EBADF || each.from != each.number)
                return make_spawn_error(spawn_call::fcntl, errno);
            if (copy >= 0)
                ::posix_spawn_file_actions_adddup2(&actions_, copy, each.number);
        }
        for (std::size_t i = 0; i < plan_.descriptor_count; ++i)
        {
            for (; next < plan_.descriptors[i].number; ++next)
                ::posix_spawn_file_actions_addclose(&actions_, next);
            ++next;
        }
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, next);
        return {};
    }

    const spawn_plan& plan_;
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
    std::vector<int> copies_;
};

spawned spawn_by_posix(const spawn_plan& plan, error_code& ec) noexcept
{
    try
    {
        posix_spawn_request request(plan);
        ec = request.prepare();
        return ec ? spawned() : request.start(ec);
    }
    catch (const std::bad_alloc&)
    {
        ec = make_spawn_error(spawn_call::posix_spawn, ENOMEM);
        return {};
    }
}

} // namespace

spawned spawn(spawn_plan& plan, error_code& ec) noexcept
{
    ec.clear();
    spawned it;
    if (may_share_memory && spawn_in_our_memory(plan, it, ec))
        return it;
    return is_for_posix_spawn(plan) ? spawn_by_posix(plan, ec) : spawn_in_a_copy(plan, ec);
}

LOOPS_BARE void close_all_but(const int* kept, std::size_t count) noexcept
{
    unsigned next = 0;
    for (std::size_t i = 0; i < count; ++i)
        next = close_before(next, kept[i]);
    close_range(next, ~0U);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
