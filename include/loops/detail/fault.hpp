// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_FAULT_HPP
#define LOOPS_DETAIL_FAULT_HPP

#include <loops/config.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The seam for faults. Before a system call that can fail for want of something, the platform
// layer asks the hook, with the call's name ("pidfd_open", "epoll_ctl", "thread", ...); an errno
// that it returns is reported as if the kernel had said it, and the call is not made.
using fault_function = int (*)(const char* call);

extern LOOPS_DECL std::atomic<fault_function> fault_hook;

// Children that are none: what stands in for the kernel where one is set. It is asked for what
// waitid() would answer, as that reports it, and for what tells a process from a later one with its
// number (0: there is none). Where `birth` is not 0, the wait is for a process of that birth only.
class fake_children
{
public:
    virtual int wait(int type, int id, std::uint64_t birth, siginfo_t& info, int options) = 0;
    virtual std::uint64_t birth(pid_type pid) = 0;

protected:
    ~fake_children() = default;
};

extern LOOPS_DECL std::atomic<fake_children*> children_hook;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
