// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/async_invoke.hpp>
#include <loops/policy/pool_policy.hpp>

#include "pair.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <thread>

namespace trips {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

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

} // namespace

void add_loops(std::vector<setting>& all)
{
    const auto plain = [&](const char* name, bool polls) {
        all.push_back({name, [polls] { return std::make_unique<plain_pair>(polls); }});
    };
    const auto pool = [&](const char* name, std::chrono::nanoseconds spin, hop how) {
        all.push_back({name, [spin, how] { return std::make_unique<pool_pair>(spin, how); }});
    };
    plain("io_context, sleeping", false);
    plain("io_context, polling", true);
    pool("pool", 0ns, hop::post);
    pool("pool, spin=20us", 20us, hop::post);
    pool("pool, spin=100us", 100us, hop::post);
    pool("async_invoke", 0ns, hop::invoke);
    pool("async_invoke, spin=20us", 20us, hop::invoke);
    pool("async_invoke, spin=100us", 100us, hop::invoke);
}

} // namespace trips
