// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_FOREIGN_POLL_SET_HPP
#define LOOPS_SRC_FOREIGN_POLL_SET_HPP

#include <loops/error.hpp>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace loops_foreign {

// Descriptors that poll(2) would look at, in one that is readable when one of them is ready.
//
// They are in an inner epoll, which is made anew where it may hold what nobody can take out of it: a descriptor that was closed
// while another one of the same file is open. So it is in a forked child, whose parent has the same.
class poll_set
{
public:
    poll_set() { make(); }
    poll_set(const poll_set&) = delete;
    poll_set& operator=(const poll_set&) = delete;
    ~poll_set() { close(); }

    // In a forked child another one than before.
    int native_handle() const
    {
        if (owner_ != ::getpid())
        {
            close();
            make();
        }
        return outer_;
    }

    // The descriptors may have been closed, and their numbers be others' by now: so each is asked for anew. What cannot
    // be waited for, as a plain file, is ready whenever one looks, and not left to wait for.
    template <class Descriptor>
    void assign(const Descriptor* all, std::size_t size)
    {
        native_handle();
        std::map<int, unsigned> wanted;
        for (std::size_t i = 0; i != size; ++i)
            wanted[all[i].fd] |= static_cast<unsigned short>(all[i].events);
        bool is_whole = true;
        for (const int each : present_)
        {
            if (wanted.find(each) == wanted.end())
                is_whole = ::epoll_ctl(inner_, EPOLL_CTL_DEL, each, nullptr) == 0 && is_whole;
        }
        for (const auto& [fd, events] : wanted)
            is_whole = (present_.count(fd) == 0 || put(EPOLL_CTL_MOD, fd, events)) && is_whole;
        if (!is_whole)
        {
            remake();
            present_.clear();
        }
        for (const auto& [fd, events] : wanted)
        {
            if (present_.count(fd) == 0 && put(EPOLL_CTL_ADD, fd, events))
                present_.insert(fd);
        }
        for (auto each = present_.begin(); each != present_.end();)
            each = wanted.find(*each) == wanted.end() ? present_.erase(each) : std::next(each);
    }

private:
    static int made()
    {
        const int fd = ::epoll_create1(EPOLL_CLOEXEC);
        if (fd < 0)
            throw loops::system_error(
                loops::error_code(errno, boost::system::system_category()), "epoll_create1");
        return fd;
    }

    void make() const
    {
        owner_ = ::getpid();
        present_.clear();
        outer_ = made();
        remake();
    }

    void remake() const
    {
        if (inner_ >= 0)
            ::close(std::exchange(inner_, -1));
        inner_ = made();
        epoll_event event{};
        event.events = EPOLLIN;
        ::epoll_ctl(outer_, EPOLL_CTL_ADD, inner_, &event);
    }

    void close() const
    {
        for (int* const each : {&inner_, &outer_})
        {
            if (*each >= 0)
                ::close(std::exchange(*each, -1));
        }
    }

    // The bits of poll(2) and epoll are the same.
    bool put(int how, int fd, unsigned events) const
    {
        epoll_event event{};
        event.events = events & (POLLIN | POLLOUT | POLLPRI);
        event.data.fd = fd;
        return ::epoll_ctl(inner_, how, fd, &event) == 0;
    }

    mutable pid_t owner_ = 0;
    mutable int outer_ = -1;
    mutable int inner_ = -1;
    mutable std::set<int> present_;
};

} // namespace loops_foreign

#endif
