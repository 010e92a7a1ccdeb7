// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scenario.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace guarantees {
namespace {

// Has a child watched where something is refused. What a failed call leaves behind counts.
std::string watch_one(subject& it, const std::vector<pid_t>& before, const std::string& where)
{
    int wait = 0;
    try
    {
        wait = start_and_watch(it, {"sleep", "100", "7"});
    }
    catch (const not_offered&)
    {
        throw;
    }
    catch (const std::exception&)
    {
        it.release_descriptors();
        if (it.starts() && children_of(it.process()).size() > before.size())
            return "no: throws, leaks the child";
        return "no: refused " + where;
    }
    it.run(patience, it.reports().size() + 1);
    it.release_descriptors();
    return judge(it, wait, exited(7));
}

// In a process that has watched a child before, so that its loop has what it needs itself. What
// starts children needs descriptors for that, too: it is left none to four of them.
std::string no_descriptors(const maker& make)
{
    std::vector<std::string> words;
    for (int left = 0; left <= 4; ++left)
    {
        const auto it = make({});
        start_and_watch(*it, {"exit", "0"});
        it->run(patience, 1);
        if (!it->starts())
        {
            const pid_t pid = it->start({"sleep", "100", "7"});
            it->use_up_descriptors(left);
            int wait = 0;
            try
            {
                wait = it->watch(pid);
            }
            catch (const std::exception&)
            {
                it->release_descriptors();
                return "no: refused";
            }
            it->run(patience, 2);
            it->release_descriptors();
            words.push_back(judge(*it, wait, exited(7)));
            continue;
        }
        const auto before = children_of(it->process());
        it->use_up_descriptors(left);
        words.push_back(watch_one(*it, before, "at the start"));
    }
    // What is left behind is worse than what is refused.
    for (const auto& word : words)
    {
        if (!is_yes(word) && word != "no: refused at the start")
            return word;
    }
    return worst(words);
}

void refuse_pidfd_open(int error)
{
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{static_cast<unsigned short>(sizeof code / sizeof *code), code};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        throw not_offered();
}

std::string without_pidfd_open(const maker& make, int error)
{
    refuse_pidfd_open(error);
    std::unique_ptr<subject> it;
    try
    {
        it = make({});
    }
    catch (const std::exception&)
    {
        return "no: refused when it is made";
    }
    return watch_one(*it, children_of(it->process()), "when it watches");
}

std::string pidfd_open_missing(const maker& make)
{
    return without_pidfd_open(make, ENOSYS);
}

std::string pidfd_open_forbidden(const maker& make)
{
    return without_pidfd_open(make, EPERM);
}

} // namespace

void add_system(std::vector<scenario>& all)
{
    all.push_back({"No descriptor is left for it: told", no_descriptors});
    all.push_back({"pidfd_open fails with ENOSYS: told", pidfd_open_missing});
    all.push_back({"pidfd_open fails with EPERM: told", pidfd_open_forbidden});
}

} // namespace guarantees
