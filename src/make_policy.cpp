// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/platform_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/proactor_policy.hpp>
#include <loops/policy/selector_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>

#include "detail/description.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

using detail::description;
using detail::word;

// More than any machine has CPUs; what is meant as something else is found before it is tried.
constexpr std::size_t most_threads = 4096;

using policy_pointer = std::shared_ptr<event_loop_policy>;

std::size_t threads(const description& from)
{
    return from.number(*from.value(), "threads", most_threads);
}

template <class Policy>
policy_pointer make_per_thread(description& from)
{
    from.no_value();
    creation where = creation::every_thread;
    if (const word* const said = from.option("creation"))
        where = from.one_of<creation>(
            *said, {{"every_thread", creation::every_thread},
                       {"main_thread", creation::main_thread}, {"never", creation::never}});
    return std::make_shared<Policy>(where);
}

policy_pointer make_shared_policy(description& from)
{
    return from.value() != nullptr ? std::make_shared<shared_policy>(threads(from))
                                   : std::make_shared<shared_policy>();
}

policy_pointer make_threaded(description& from)
{
    from.no_value();
    return std::make_shared<threaded_policy>();
}

policy_pointer make_pool(description& from)
{
    pool_options made;
    if (from.value() != nullptr)
        made.threads = threads(from);
    if (const word* const said = from.option("chooser"))
        made.chooser = from.one_of<chooser>(
            *said, {{"round_robin", round_robin}, {"least_loaded", least_loaded},
                       {"two_choices", two_choices}, {"by_key", by_key}, {"by_cpu", by_cpu},
                       {"prefer_current", prefer_current()}});
    if (const word* const said = from.option("pin"))
        made.pin = from.one_of<pinning>(*said,
            {{"none", pinning::none}, {"compact", pinning::compact}, {"spread", pinning::spread}});
    if (const word* const said = from.option("name"))
        made.name = std::string(said->text);
    return std::make_shared<pool_policy>(std::move(made));
}

// The policy of one part, whose name is known.
policy_pointer make_part(description& from)
{
    using maker = policy_pointer (*)(description&);
    const auto make = from.one_of<maker>(from.name(),
        {{"default", make_per_thread<default_policy>},
            {"per_thread", make_per_thread<default_policy>},
            {"selector", make_per_thread<selector_policy>},
            {"proactor", make_per_thread<proactor_policy>},
            {"platform", make_per_thread<platform_policy>}, {"shared", make_shared_policy},
            {"threaded", make_threaded}, {"pool", make_pool}});
    policy_pointer made = make(from);
    // Options that every policy has.
    if (const word* const said = from.option("watch"))
    {
        loop_watch_options options;
        options.threshold = from.duration(*said);
        if (options.threshold < std::chrono::milliseconds(1))
            from.expected(*said, "a duration of a millisecond or more");
        made->watch_loops(std::move(options));
    }
    from.no_other_options();
    return made;
}

} // namespace

std::shared_ptr<event_loop_policy> make_policy(std::string_view text)
{
    description first(text, 0);
    policy_pointer made = make_part(first);
    if (const auto next = first.next())
        next->expected(next->name(), "the end of the description");
    return made;
}

std::shared_ptr<event_loop_policy> make_policy(std::string_view text, error_code& ec)
{
    try
    {
        ec.clear();
        return make_policy(text);
    }
    catch (const system_error& e)
    {
        ec = e.code();
        return nullptr;
    }
}

} // namespace LOOPS_ABI
} // namespace loops
