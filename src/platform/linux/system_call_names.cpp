// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/thread_activity.hpp"

#include <algorithm>
#include <iterator>

#include <sys/syscall.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

struct system_call
{
    long number;
    const char* name;
};

// Those that a thread may be seen asleep in.
// clang-format off
#define LOOPS_NAMED(name) {SYS_##name, #name}
constexpr system_call calls[] = {
    LOOPS_NAMED(read), LOOPS_NAMED(write), LOOPS_NAMED(readv), LOOPS_NAMED(writev),
    LOOPS_NAMED(pread64), LOOPS_NAMED(pwrite64), LOOPS_NAMED(preadv), LOOPS_NAMED(pwritev),
    LOOPS_NAMED(openat), LOOPS_NAMED(close), LOOPS_NAMED(fsync), LOOPS_NAMED(fdatasync),
    LOOPS_NAMED(sync), LOOPS_NAMED(syncfs), LOOPS_NAMED(sync_file_range), LOOPS_NAMED(ftruncate),
    LOOPS_NAMED(truncate), LOOPS_NAMED(fallocate), LOOPS_NAMED(flock), LOOPS_NAMED(fcntl),
    LOOPS_NAMED(ioctl), LOOPS_NAMED(renameat2), LOOPS_NAMED(unlinkat),
    LOOPS_NAMED(mkdirat), LOOPS_NAMED(linkat), LOOPS_NAMED(symlinkat), LOOPS_NAMED(mount),
    LOOPS_NAMED(umount2), LOOPS_NAMED(fstat), LOOPS_NAMED(newfstatat), LOOPS_NAMED(statfs),
    LOOPS_NAMED(faccessat), LOOPS_NAMED(getdents64), LOOPS_NAMED(readlinkat), LOOPS_NAMED(fchmod),
    LOOPS_NAMED(fchmodat), LOOPS_NAMED(fchown), LOOPS_NAMED(fchownat), LOOPS_NAMED(utimensat),
    LOOPS_NAMED(chdir), LOOPS_NAMED(sendfile), LOOPS_NAMED(splice), LOOPS_NAMED(tee),
    LOOPS_NAMED(vmsplice), LOOPS_NAMED(ppoll), LOOPS_NAMED(pselect6), LOOPS_NAMED(epoll_pwait),
    LOOPS_NAMED(epoll_ctl), LOOPS_NAMED(io_getevents), LOOPS_NAMED(io_submit), LOOPS_NAMED(accept),
    LOOPS_NAMED(accept4), LOOPS_NAMED(connect), LOOPS_NAMED(bind), LOOPS_NAMED(listen),
    LOOPS_NAMED(recvfrom), LOOPS_NAMED(recvmsg), LOOPS_NAMED(recvmmsg), LOOPS_NAMED(sendto),
    LOOPS_NAMED(sendmsg), LOOPS_NAMED(sendmmsg), LOOPS_NAMED(shutdown), LOOPS_NAMED(socket),
    LOOPS_NAMED(nanosleep), LOOPS_NAMED(clock_nanosleep), LOOPS_NAMED(sched_yield),
    LOOPS_NAMED(futex), LOOPS_NAMED(restart_syscall), LOOPS_NAMED(wait4), LOOPS_NAMED(waitid),
    LOOPS_NAMED(clone), LOOPS_NAMED(execve), LOOPS_NAMED(msgrcv), LOOPS_NAMED(msgsnd),
    LOOPS_NAMED(semop), LOOPS_NAMED(semtimedop), LOOPS_NAMED(mq_timedreceive),
    LOOPS_NAMED(mq_timedsend), LOOPS_NAMED(rt_sigsuspend), LOOPS_NAMED(rt_sigtimedwait),
    LOOPS_NAMED(kill), LOOPS_NAMED(tgkill), LOOPS_NAMED(tkill), LOOPS_NAMED(mmap),
    LOOPS_NAMED(munmap), LOOPS_NAMED(mremap), LOOPS_NAMED(mprotect), LOOPS_NAMED(madvise),
    LOOPS_NAMED(msync), LOOPS_NAMED(mlock), LOOPS_NAMED(mlockall), LOOPS_NAMED(brk),
    LOOPS_NAMED(inotify_add_watch), LOOPS_NAMED(fanotify_mark), LOOPS_NAMED(perf_event_open),
    LOOPS_NAMED(ptrace), LOOPS_NAMED(process_vm_readv),
#if defined(SYS_open) // what younger architectures have done without
    LOOPS_NAMED(open), LOOPS_NAMED(creat), LOOPS_NAMED(rename), LOOPS_NAMED(renameat), LOOPS_NAMED(unlink),
    LOOPS_NAMED(mkdir), LOOPS_NAMED(rmdir), LOOPS_NAMED(link), LOOPS_NAMED(symlink),
    LOOPS_NAMED(stat), LOOPS_NAMED(lstat), LOOPS_NAMED(access), LOOPS_NAMED(getdents),
    LOOPS_NAMED(readlink), LOOPS_NAMED(chmod), LOOPS_NAMED(chown), LOOPS_NAMED(poll),
    LOOPS_NAMED(select), LOOPS_NAMED(epoll_wait), LOOPS_NAMED(pause), LOOPS_NAMED(fork),
    LOOPS_NAMED(vfork),
#endif
    LOOPS_NAMED(io_uring_enter), LOOPS_NAMED(statx), LOOPS_NAMED(preadv2), LOOPS_NAMED(pwritev2),
    LOOPS_NAMED(io_pgetevents), LOOPS_NAMED(mlock2), LOOPS_NAMED(copy_file_range),
    LOOPS_NAMED(membarrier), LOOPS_NAMED(bpf), LOOPS_NAMED(execveat), LOOPS_NAMED(getrandom),
#if defined(SYS_clone3)
    LOOPS_NAMED(clone3),
#endif
#if defined(SYS_openat2)
    LOOPS_NAMED(openat2),
#endif
#if defined(SYS_faccessat2)
    LOOPS_NAMED(faccessat2),
#endif
#if defined(SYS_epoll_pwait2)
    LOOPS_NAMED(epoll_pwait2),
#endif
#if defined(SYS_futex_waitv)
    LOOPS_NAMED(futex_waitv),
#endif
};
#undef LOOPS_NAMED
// clang-format on

} // namespace

std::string system_call_name(long number)
{
    const auto* const found = std::find_if(std::begin(calls), std::end(calls),
        [&](const system_call& each) { return each.number == number; });
    return found != std::end(calls) ? found->name : "system call " + std::to_string(number);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
