// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_TRIPS_LOOP_THREADS_HPP
#define LOOPS_BENCH_TRIPS_LOOP_THREADS_HPP

#include "pair.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <thread>

namespace trips {

// Loops of somebody else's, a thread each, that wake each other. A `Loop` has `run()`, which a thread calls,
// and `wake()` and `stop()`, which any thread may call; it calls `woken` on its thread for each wake().
template <class Loop>
class loop_threads final : public pair
{
public:
    loop_threads()
    {
        here_.woken = [this] { go(); };
        there_.woken = [this] {
            if (answers_)
                here_.wake();
        };
        const auto places = two_places();
        threads_[0] = std::thread([this, place = places[0]] { run(here_, place); });
        threads_[1] = std::thread([this, place = places[1]] { run(there_, place); });
    }

    ~loop_threads() override
    {
        here_.stop();
        there_.stop();
        for (std::thread& each : threads_)
            each.join();
    }

    times trips(std::size_t count) override
    {
        answers_ = true;
        left_ = count;
        begins_ = true;
        over_ = {};
        auto over = over_.get_future();
        here_.wake();
        return over.get();
    }

    void poke() override
    {
        answers_ = false;
        there_.wake();
    }

private:
    static void run(Loop& loop, unsigned place)
    {
        const confined there({place});
        loop.run();
    }

    void go()
    {
        if (begins_)
        {
            begins_ = false;
            begin_ = times::now();
        }
        if (left_-- == 0)
            over_.set_value(times::now().since(begin_));
        else
            there_.wake();
    }

    Loop here_;
    Loop there_;
    std::atomic<bool> answers_{true};
    // Of the first loop's thread, while there are trips.
    bool begins_ = false;
    std::size_t left_ = 0;
    times begin_;
    std::promise<times> over_;
    std::array<std::thread, 2> threads_;
};

} // namespace trips

#endif
