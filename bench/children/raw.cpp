// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "subject.hpp"

#include <map>
#include <memory>
#include <vector>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace children {
namespace {

// One that does not use a library: its "loop" is a system call.
class raw_subject : public subject
{
public:
    using subject::subject;

    void drop_loop() override {}
    void close() override {}

protected:
    void reap_and_tell(int wait, pid_t pid)
    {
        int status = 0;
        if (::waitpid(pid, &status, 0) == pid)
            tell(wait, status);
    }
};

// A pidfd for each child, all of them in one epoll: what an event loop cannot do without.
class epoll_subject : public raw_subject
{
public:
    using raw_subject::raw_subject;
    ~epoll_subject() override { ::close(epoll_); }

    int watch(pid_t pid, then action) override
    {
        const auto ticket = new_wait(action);
        const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        epoll_event wanted{};
        wanted.events = EPOLLIN | EPOLLET;
        wanted.data.u64 = children_.size();
        children_.push_back({*ticket, pid, fd});
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &wanted);
        return *ticket;
    }

    void run(long milliseconds, std::size_t reports) override
    {
        const double end = monotonic_nanoseconds() + static_cast<double>(milliseconds) * 1e6;
        while (this->reports().size() < reports)
        {
            const double left = (end - monotonic_nanoseconds()) / 1e6;
            epoll_event found[64];
            if (left <= 0)
                return;
            const int count = ::epoll_wait(epoll_, found, 64, static_cast<int>(left) + 1);
            for (int i = 0; i < count; ++i)
            {
                const auto& it = children_[found[i].data.u64];
                ::close(it.pidfd);
                reap_and_tell(it.wait, it.pid);
            }
        }
    }

private:
    struct child
    {
        int wait;
        pid_t pid;
        int pidfd;
    };

    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<child> children_;
};

// Blocks until any child is dead: the least that there is, and no loop.
class waitid_subject : public raw_subject
{
public:
    using raw_subject::raw_subject;

    int watch(pid_t pid, then action) override
    {
        const auto ticket = new_wait(action);
        waits_[pid] = *ticket;
        return *ticket;
    }

    // It cannot look for a moment only.
    void run(long milliseconds, std::size_t reports) override
    {
        if (milliseconds < 100)
            return;
        while (this->reports().size() < reports)
        {
            siginfo_t dead{};
            if (::waitid(P_ALL, 0, &dead, WEXITED) != 0)
                return;
            const auto at = waits_.find(dead.si_pid);
            if (at == waits_.end())
                continue;
            const int wait = at->second;
            waits_.erase(at);
            tell(wait, dead.si_code == CLD_EXITED ? dead.si_status << 8 : dead.si_status);
        }
    }

private:
    std::map<pid_t, int> waits_;
};

} // namespace

std::vector<kind> raw_kinds()
{
    return {{"pidfd and epoll",
                [](const setup& before) -> std::unique_ptr<subject> {
                    return std::make_unique<epoll_subject>(before);
                }},
        {"waitid, blocking", [](const setup& before) -> std::unique_ptr<subject> {
             return std::make_unique<waitid_subject>(before);
         }}};
}

} // namespace children
