// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Whether it costs more to find a loop where there are many: nanoseconds a call, and the ratio to the cost
// where there is one. Keys are taken in a scattered order, so that what does not fit into the
// processor's caches is in it; beside it the same for a std::unordered_map of pointers, with a mutex.
//
// usage: growth [rounds, 15 unless given] [most loops, 10000]
//
// What a pool's choosers cost, by the number of its loops, is told by `choosers`.

#include <loops/policy.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/run.hpp>

#include "measure.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace asio = boost::asio;

namespace {

using keyed = loops::keyed_policy<std::uint64_t>;

std::size_t number_of(const asio::io_context& loop)
{
    return reinterpret_cast<std::size_t>(&loop);
}

// So many keys, each of which has a loop.
struct crowd
{
    explicit crowd(std::size_t number) : size(number), policy(std::make_shared<keyed>())
    {
        for (std::size_t i = 0; i < size; ++i)
            by_hand[i] = &policy->get_event_loop(i);
    }

    std::uint64_t key(std::size_t i) const { return i * 7919 % size; }

    std::size_t size;
    std::shared_ptr<keyed> policy;
    std::unordered_map<std::uint64_t, asio::io_context*> by_hand;
    std::mutex mutex;
};

using crowds = std::vector<std::unique_ptr<crowd>>;

// One line for each number of loops.
void measure_all(std::size_t rounds, const char* what, const crowds& all,
    const std::function<measure::rival(crowd&, std::string)>& rival_of)
{
    std::vector<measure::rival> rivals;
    for (const auto& each : all)
        rivals.push_back(rival_of(*each, std::to_string(each->size)));
    measure::print_heading("", what, "a call");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each);
    std::printf("\n");
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 15;
    const std::size_t most = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 10000;
    if (rounds < 9 || most == 0)
    {
        std::fprintf(stderr, "usage: growth [rounds, 9 or more] [most loops]\n");
        return 2;
    }
    measure::raise_file_limit();
    crowds all;
    for (std::size_t size = 1; size <= most; size *= 10)
        all.push_back(std::make_unique<crowd>(size));

    measure_all(rounds, "a map and a mutex", all, [](crowd& of, std::string name) {
        return measure::calls(std::move(name), [&of](std::size_t i) {
            const std::lock_guard lock(of.mutex);
            return number_of(*of.by_hand.find(of.key(i))->second);
        });
    });
    measure_all(rounds, "get_event_loop(key)", all, [](crowd& of, std::string name) {
        return measure::calls(std::move(name),
            [&of](std::size_t i) { return number_of(of.policy->get_event_loop(of.key(i))); });
    });
    measure_all(rounds, "in a key_scope", all, [](crowd& of, std::string name) {
        return measure::calls(std::move(name), [&of](std::size_t i) {
            const loops::key_scope scope(of.key(i));
            return number_of(of.policy->get_event_loop());
        });
    });
    // The thread's own loop is found without the others.
    measure_all(rounds, "get_event_loop() in a run", all, [](crowd& of, std::string name) {
        const auto once = measure::calls(
            std::move(name), [](std::size_t) { return number_of(loops::get_event_loop()); });
        return measure::rival{once.name, [&of, once] {
                                  double figure = 0;
                                  auto& loop = of.policy->get_event_loop(of.size / 2);
                                  loop.restart();
                                  asio::post(loop, [&] { figure = once.once(); });
                                  loops::run_loop(loop);
                                  return figure;
                              }};
    });
    return 0;
}
