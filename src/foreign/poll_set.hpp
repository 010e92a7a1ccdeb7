// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_FOREIGN_POLL_SET_HPP
#define LOOPS_SRC_FOREIGN_POLL_SET_HPP

#include <loops/error.hpp>

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace loops_foreign {

// Descriptors that poll(2) would look at, in one that is readable when one of them is ready.
class poll_set
{
public:
    poll_set() : epoll_(::epoll_create1(EPOLL_CLOEXEC))
    {
        if (epoll_ < 0)
            throw loops::system_error(
                loops::error_code(errno, boost::system::system_category()), "epoll_create1");
    }

    poll_set(const poll_set&) = delete;
    poll_set& operator=(const poll_set&) = delete;
    ~poll_set() { ::close(epoll_); }

    int native_handle() const noexcept { return epoll_; }

    // The descriptors may have been closed, and their numbers be others' by now: so each is asked for anew. What cannot
    // be waited for, as a plain file, is ready whenever one looks, and not left to wait for.
    template <class Descriptor>
    void assign(const Descriptor* all, std::size_t size)
    {
        std::map<int, unsigned> wanted;
        for (std::size_t i = 0; i != size; ++i)
            wanted[all[i].fd] |= static_cast<unsigned short>(all[i].events);
        for (const int each : present_)
        {
            if (wanted.find(each) == wanted.end())
                ::epoll_ctl(epoll_, EPOLL_CTL_DEL, each, nullptr);
        }
        present_.clear();
        for (const auto& [fd, events] : wanted)
        {
            // The bits of both calls are the same.
            epoll_event event{};
            event.events = events & (POLLIN | POLLOUT | POLLPRI);
            event.data.fd = fd;
            if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0)
                ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
            present_.insert(fd);
        }
    }

private:
    const int epoll_;
    std::set<int> present_;
};

} // namespace loops_foreign

#endif
