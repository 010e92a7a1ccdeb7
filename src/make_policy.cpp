// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/policy/platform_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/priority_policy.hpp>
#include <loops/policy/proactor_policy.hpp>
#include <loops/policy/selector_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>

#include "detail/description.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

using detail::description;
using detail::word;

// More than any machine has CPUs; what is meant as something else is found before it is tried.
constexpr std::size_t most_threads = 4096;
constexpr std::size_t most_tasks = 1'000'000'000;

using policy_pointer = std::shared_ptr<event_loop_policy>;

std::size_t threads(const description& from)
{
    return from.number(*from.value(), "threads", most_threads);
}

template <class Policy>
policy_pointer make_per_thread(description& from, const policy_pointer&)
{
    from.no_value();
    creation where = creation::every_thread;
    if (const word* const said = from.option("creation"))
        where = from.one_of<creation>(
            *said, {{"every_thread", creation::every_thread},
                       {"main_thread", creation::main_thread}, {"never", creation::never}});
    return std::make_shared<Policy>(where);
}

policy_pointer make_shared_policy(description& from, const policy_pointer&)
{
    return from.value() != nullptr ? std::make_shared<shared_policy>(threads(from))
                                   : std::make_shared<shared_policy>();
}

policy_pointer make_threaded(description& from, const policy_pointer&)
{
    from.no_value();
    return std::make_shared<threaded_policy>();
}

policy_pointer make_pool(description& from, const policy_pointer&)
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
    if (const word* const said = from.option("spin"))
    {
        made.spin = from.duration(*said);
        if (made.spin > pool_options::most_spin)
            from.expected(*said, "a time of a second or less");
    }
    return std::make_shared<pool_policy>(std::move(made));
}

// Keys of 64 bits, where wanted modulo a number. What has none, as code that was not written for keys,
// has the key 0.
class numbers final : public detail::key_type
{
public:
    explicit numbers(std::uint64_t modulus) : modulus_(modulus) {}

    const std::type_info& type() const noexcept override { return typeid(std::uint64_t); }
    std::size_t hash(const void* key) const override { return reduced(key); }
    bool equal(const void* a, const void* b) const override { return reduced(a) == reduced(b); }
    std::shared_ptr<const void> copy(const void* key) const override
    {
        return std::make_shared<const std::uint64_t>(reduced(key));
    }
    std::string print(const void* key) const override { return std::to_string(reduced(key)); }

    asio::io_context* in_context(const use& with) const override { return of_number(0, with); }
    asio::io_context* of_number(std::uint64_t number, const use& with) const override
    {
        return with(&number);
    }

private:
    std::uint64_t reduced(const void* key) const
    {
        const std::uint64_t number = *static_cast<const std::uint64_t*>(key);
        return modulus_ == 0 ? number : number % modulus_;
    }

    const std::uint64_t modulus_;
};

class keyed_by_numbers final : public keyed_policy<std::uint64_t>
{
public:
    keyed_by_numbers(std::uint64_t modulus, keyed_options options)
        : keyed_policy(std::move(options), std::make_unique<numbers>(modulus))
    {}
};

policy_pointer make_keyed(description& from, const policy_pointer&)
{
    keyed_options made;
    made.run_by = run_by::policy;
    const std::uint64_t modulus = from.value() != nullptr ? threads(from) : 0;
    if (const word* const said = from.option("idle"))
        made.drop_idle_after = from.duration(*said);
    if (const word* const said = from.option("name"))
        made.name = std::string(said->text);
    return std::make_shared<keyed_by_numbers>(modulus, std::move(made));
}

policy_pointer make_bounded(description& from, const policy_pointer& inner)
{
    std::size_t queue = bounded_policy::default_most_waiting;
    if (const word* const said = from.option("queue"))
        queue = from.number(*said, "waiting tasks", most_tasks, 0);
    return std::make_shared<bounded_policy>(
        inner, from.number(from.needed_value(), "tasks", most_tasks), queue);
}

policy_pointer make_priority(description& from, const policy_pointer& inner)
{
    priority_options made;
    if (from.value() != nullptr)
        made.levels = static_cast<int>(from.number(*from.value(), "priorities", 32));
    if (const word* const said = from.option("ageing"))
        made.ageing = static_cast<std::uint32_t>(from.number(*said, "handlers", 1'000'000));
    return std::make_shared<priority_policy>(inner, made);
}

policy_pointer make_virtual_time(description& from, const policy_pointer& inner)
{
    from.no_value();
    virtual_time_options made;
    if (const word* const said = from.option("idle"))
        made.idle = from.duration(*said);
    if (const word* const said = from.option("shuffle"))
        made.shuffle = from.number(*said, "seeds", std::numeric_limits<std::size_t>::max(), 0);
    return std::make_shared<virtual_time_policy>(inner, made);
}

// How a policy is made of its part, and of the policy that it wraps, if it does.
struct recipe
{
    policy_pointer (*make)(description& from, const policy_pointer& inner);
    bool wraps = false;
};

recipe recipe_of(const description& from)
{
    return from.one_of<recipe>(from.name(),
        {{"default", {make_per_thread<default_policy>}},
            {"per_thread", {make_per_thread<default_policy>}},
            {"selector", {make_per_thread<selector_policy>}},
            {"proactor", {make_per_thread<proactor_policy>}},
            {"platform", {make_per_thread<platform_policy>}}, {"shared", {make_shared_policy}},
            {"threaded", {make_threaded}}, {"pool", {make_pool}}, {"keyed", {make_keyed}},
            {"bounded", {make_bounded, true}}, {"priority", {make_priority, true}},
            {"virtual_time", {make_virtual_time, true}}});
}

policy_pointer make_part(description& from)
{
    const recipe how = recipe_of(from);
    auto next = from.next();
    if (how.wraps && !next)
        from.expected(from.end(),
            "'/' and the policy that '" + std::string(from.name().text) + "' is to wrap");
    if (!how.wraps && next)
        next->expected(
            next->name(), "the end, since '" + std::string(from.name().text) + "' wraps no policy");
    policy_pointer made = how.make(from, next ? make_part(*next) : nullptr);
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
    return make_part(first);
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
