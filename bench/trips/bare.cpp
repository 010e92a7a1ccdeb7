// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "pair.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <system_error>
#include <thread>

#include <sys/eventfd.h>
#include <unistd.h>

namespace trips {
namespace {

// No loops: two threads, and what they tell each other by.
template <class Signal>
class bare_pair final : public pair
{
public:
    ~bare_pair() override
    {
        over_ = true;
        there_.set();
        other_.join();
    }

    times trips(std::size_t count) override
    {
        const times begin = times::now();
        for (std::size_t i = 0; i < count; ++i)
        {
            answers_ = true;
            there_.set();
            here_.wait();
        }
        return times::now().since(begin);
    }

    void poke() override
    {
        answers_ = false;
        there_.set();
    }

private:
    void answer()
    {
        const confined there({places_[1]});
        for (;;)
        {
            there_.wait();
            if (over_)
                return;
            if (answers_)
                here_.set();
        }
    }

    const std::array<unsigned, 2> places_ = two_places();
    const confined confined_{{places_[0]}};
    Signal here_;
    Signal there_;
    std::atomic<bool> answers_{true};
    std::atomic<bool> over_{false};
    std::thread other_{[this] { answer(); }};
};

class slept_for
{
public:
    slept_for()
    {
        if (event_ < 0)
            throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    slept_for(const slept_for&) = delete;
    slept_for& operator=(const slept_for&) = delete;
    ~slept_for() { ::close(event_); }

    void set()
    {
        const std::uint64_t one = 1;
        if (::write(event_, &one, sizeof one) != sizeof one)
            std::terminate();
    }
    void wait()
    {
        std::uint64_t count = 0;
        if (::read(event_, &count, sizeof count) != sizeof count)
            std::terminate();
    }

private:
    const int event_ = ::eventfd(0, EFD_CLOEXEC);
};

class polled_for
{
public:
    void set() { is_set_ = true; }
    void wait()
    {
        while (!is_set_.exchange(false))
        {}
    }

private:
    std::atomic<bool> is_set_{false};
};

} // namespace

void add_bare(std::vector<setting>& all)
{
    all.push_back({"threads, eventfd", [] { return std::make_unique<bare_pair<slept_for>>(); }});
    all.push_back({"threads, polling", [] { return std::make_unique<bare_pair<polled_for>>(); }});
}

} // namespace trips
