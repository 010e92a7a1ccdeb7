// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a hop from one loop to another and back takes where their threads sleep, poll, or spin for a
// time before they sleep; and what that costs: the CPU time of the process for each such trip, and of
// each second while nothing comes and while a handler comes each millisecond. The ratio is to two
// threads that wake each other by eventfds, with no loop at all.
//
// First each thread has a CPU of its own; then both have the same one, as where others keep the CPUs
// busy: who polls there keeps the other from what it polls for.
//
// At last, what it costs to post through the executors of policies, against that of an io_context.
//
// usage: hops [rounds, 11 unless given]

#include <loops/async_invoke.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>

#include "measure.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// The CPUs that this thread may use.
std::vector<unsigned> allowed_cpus()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<unsigned> cpus;
    for (unsigned i = 0; i < CPU_SETSIZE; ++i)
    {
        if (CPU_ISSET(i, &set))
            cpus.push_back(i);
    }
    return cpus;
}

// Keeps this thread, and those that it starts, on some CPUs while it lives.
class confined
{
public:
    explicit confined(const std::vector<unsigned>& cpus)
    {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t set;
        CPU_ZERO(&set);
        for (const unsigned each : cpus)
            CPU_SET(each, &set);
        ::sched_setaffinity(0, sizeof set, &set);
    }
    confined(const confined&) = delete;
    confined& operator=(const confined&) = delete;
    ~confined() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_{};
};

// Where two threads are to be, out of the CPUs that this thread may use.
std::array<unsigned, 2> two_places()
{
    const std::vector<unsigned> cpus = allowed_cpus();
    return {cpus.front(), cpus[1 % cpus.size()]};
}

// Both of a trip, or of what is between two looks at the clocks.
struct times
{
    double wall = 0;
    double cpu = 0;

    static times now() { return {measure::wall_nanoseconds(), measure::process_nanoseconds()}; }

    times since(const times& earlier) const { return {wall - earlier.wall, cpu - earlier.cpu}; }
};

// Two that hop to each other.
class pair
{
public:
    pair() = default;
    pair(const pair&) = delete;
    pair& operator=(const pair&) = delete;
    virtual ~pair() = default;

    // Makes so many trips there and back, and gives what all of them took.
    virtual times trips(std::size_t count) = 0;

    // Gives the other one something to run.
    virtual void poke() = 0;
};

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

// How loops are hopped between.
enum class hop
{
    post,
    invoke,
};

class loop_pair : public pair
{
public:
    times trips(std::size_t count) override
    {
        left_ = count;
        over_ = {};
        asio::post(*here_, [this] {
            begin_ = times::now();
            go();
        });
        return over_.get_future().get();
    }

    void poke() override
    {
        asio::post(*there_, [] {});
    }

protected:
    explicit loop_pair(hop how) : how_(how) {}

    // With Asio's reactor, as loops of a server have it: that is where they sleep.
    void use(asio::io_context& here, asio::io_context& there)
    {
        here_ = &here;
        there_ = &there;
        const asio::steady_timer reactors[] = {asio::steady_timer(here), asio::steady_timer(there)};
    }

private:
    void go()
    {
        if (left_-- == 0)
            over_.set_value(times::now().since(begin_));
        else if (how_ == hop::invoke)
            loops::async_invoke(
                *there_, [] {}, [this](const std::exception_ptr&) { go(); });
        else
            asio::post(*there_, [this] { asio::post(*here_, [this] { go(); }); });
    }

    const hop how_;
    asio::io_context* here_ = nullptr;
    asio::io_context* there_ = nullptr;
    std::size_t left_ = 0;
    times begin_;
    std::promise<times> over_;
};

class plain_pair final : public loop_pair
{
public:
    explicit plain_pair(bool polls) : loop_pair(hop::post)
    {
        use(loops_[0], loops_[1]);
        const auto places = two_places();
        for (std::size_t i = 0; i < 2; ++i)
            threads_[i] = std::thread([&loop = loops_[i], place = places[i], polls] {
                const confined here({place});
                const auto work = asio::make_work_guard(loop);
                if (!polls)
                    loop.run();
                while (!loop.stopped())
                    loop.poll();
            });
    }

    ~plain_pair() override
    {
        for (asio::io_context& each : loops_)
            each.stop();
        for (std::thread& each : threads_)
            each.join();
    }

private:
    std::array<asio::io_context, 2> loops_{asio::io_context(1), asio::io_context(1)};
    std::array<std::thread, 2> threads_;
};

class pool_pair final : public loop_pair
{
public:
    pool_pair(std::chrono::nanoseconds spin, hop how) : loop_pair(how)
    {
        loops::pool_options options;
        options.threads = 2;
        options.spin = spin;
        options.pin = loops::pinning::compact;
        pool_ = std::make_shared<loops::pool_policy>(options);
        use(pool_->loop(0), pool_->loop(1));
    }

private:
    std::shared_ptr<loops::pool_policy> pool_;
};

struct setting
{
    std::string name;
    std::function<std::unique_ptr<pair>()> make;
};

const std::vector<setting>& settings()
{
    const auto pool = [](std::chrono::nanoseconds spin, hop how) {
        return [spin, how] { return std::unique_ptr<pair>(new pool_pair(spin, how)); };
    };
    const auto plain = [](bool polls) {
        return [polls] { return std::unique_ptr<pair>(new plain_pair(polls)); };
    };
    static const std::vector<setting> all{
        {"threads, eventfd", [] { return std::unique_ptr<pair>(new bare_pair<slept_for>); }},
        {"threads, polling", [] { return std::unique_ptr<pair>(new bare_pair<polled_for>); }},
        {"io_context, sleeping", plain(false)},
        {"io_context, polling", plain(true)},
        {"pool", pool(0ns, hop::post)},
        {"pool, spin=20us", pool(20us, hop::post)},
        {"pool, spin=100us", pool(100us, hop::post)},
        {"async_invoke", pool(0ns, hop::invoke)},
        {"async_invoke, spin=20us", pool(20us, hop::invoke)},
        {"async_invoke, spin=100us", pool(100us, hop::invoke)},
    };
    return all;
}

// The part of a CPU that the process uses, this thread aside, while this happens so often.
template <class F>
double use_of_cpu(std::size_t times_over, std::chrono::nanoseconds every, F what)
{
    const times begin = times::now();
    const double mine = measure::thread_nanoseconds();
    auto at = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < times_over; ++i)
    {
        what();
        std::this_thread::sleep_until(at += every);
    }
    const double own = measure::thread_nanoseconds() - mine;
    const times used = times::now().since(begin);
    return (used.cpu - own) / used.wall;
}

void measure_hops(std::size_t rounds, const char* title, const std::vector<unsigned>& cpus)
{
    struct costs
    {
        std::vector<double> trip;
        std::vector<double> idle;
        std::vector<double> ticking;
    };

    const confined all_of_it(cpus);
    std::vector<costs> all(settings().size());
    std::vector<measure::rival> rivals;
    for (std::size_t i = 0; i < settings().size(); ++i)
    {
        const auto once = [&make = settings()[i].make, &cost = all[i],
                              count = std::size_t(0)]() mutable {
            const auto two = make();
            two->trips(2); // after which the threads are where they will be
            if (count == 0)
            {
                count = 2;
                double wall = 0;
                while ((wall = two->trips(count).wall) < 2e6)
                    count *= 2;
                const double for_8_ms = static_cast<double>(count) * 8e6 / wall;
                count = std::max<std::size_t>(1, static_cast<std::size_t>(for_8_ms));
            }
            const times taken = two->trips(count);
            const auto trips = static_cast<double>(count);
            cost.trip.push_back(taken.cpu / trips);
            std::this_thread::sleep_for(1ms); // longer than they spin
            cost.idle.push_back(use_of_cpu(1, 5ms, [] {}));
            cost.ticking.push_back(use_of_cpu(10, 1ms, [&] { two->poke(); }));
            return taken.wall / trips;
        };
        rivals.push_back({settings()[i].name, once});
    }
    std::printf("%-24s  %10s  %8s  %-20s  %10s  %7s  %7s\n", title, "there, back", "ratio",
        "96% interval", "CPU of it", "idle", "1 kHz");
    const auto results = measure::interleave(rounds, rivals);
    measure::current_table() = {title, "there and back"};
    for (std::size_t i = 0; i < results.size(); ++i)
    {
        const measure::result& it = results[i];
        char interval[64];
        std::snprintf(interval, sizeof interval, "[%.3f, %.3f]", it.ratio.low, it.ratio.high);
        const auto percent = [](const std::vector<double>& of) {
            return measure::estimate_of(of).median * 100;
        };
        std::printf("%-24s  %8.2f us  %8.3f  %-20s  %7.2f us  %5.1f %%  %5.1f %%\n",
            it.name.c_str(), it.figure.median / 1e3, it.ratio.median, interval,
            measure::estimate_of(all[i].trip).median / 1e3, percent(all[i].idle),
            percent(all[i].ticking));
        measure::write(it, "ns");
    }
    std::printf("\n");
}

// Posts to a loop that no thread runs meanwhile; what runs the handlers is not in the figure.
template <class GetExecutor>
measure::rival posting(std::string name, asio::io_context& loop, GetExecutor executor)
{
    return {std::move(name), [&loop, executor] {
                constexpr std::size_t at_once = 100; // as many as Asio's memory may well hold
                double taken = 0;
                for (int i = 0; i < 200; ++i)
                {
                    taken += measure::nanoseconds_each(at_once, [&](std::size_t) {
                        asio::post(executor(), [] {});
                        return 0;
                    });
                    loop.restart();
                    loop.poll();
                }
                return taken / 200;
            }};
}

void measure_posting(std::size_t rounds)
{
    asio::io_context plain;
    asio::io_context again;
    const auto policy = std::make_shared<loops::default_policy>();
    const loops::policy_scope scope(policy);
    asio::io_context& ours = loops::get_event_loop();
    std::vector<measure::rival> rivals;
    rivals.push_back(
        posting("io_context's executor", plain, [ex = plain.get_executor()] { return ex; }));
    rivals.push_back(
        posting("another io_context's", again, [ex = again.get_executor()] { return ex; }));
    rivals.push_back(
        posting("loops::get_executor()", ours, [ex = loops::get_executor()] { return ex; }));
    rivals.push_back(
        posting("the same, asked each time", ours, [] { return loops::get_executor(); }));
    rivals.push_back(posting("any_io_executor", plain,
        [ex = asio::any_io_executor(plain.get_executor())] { return ex; }));
    measure::print_heading("", "a post", "of the thread");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each);
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 11;
    if (rounds < 9)
    {
        std::fprintf(stderr, "usage: hops [rounds, 9 or more]\n");
        return 2;
    }
    std::printf("medians of %zu rounds; CPU in percent of one\n", rounds);
    const std::vector<unsigned> cpus = allowed_cpus();
    if (cpus.size() > 1)
        measure_hops(rounds, "a CPU each", {cpus[0], cpus[1]});
    measure_hops(rounds, "one CPU for both", {cpus[0]});
    measure_posting(rounds);
    return 0;
}
