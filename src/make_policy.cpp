// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>

#include <boost/system/errc.hpp>

#include <charconv>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

// More than any machine has CPUs; what is meant as something else is found before it is tried.
constexpr std::size_t most_threads = 4096;

// One word of a description, which remembers where it stands there.
struct word
{
    std::string_view text;
    std::size_t at = 0;
};

class description
{
public:
    explicit description(std::string_view text) : text_(text)
    {
        const std::size_t comma = text.find(',');
        const word head{text.substr(0, comma), 0};
        const std::size_t colon = head.text.find(':');
        name = {head.text.substr(0, colon), 0};
        if (colon != std::string_view::npos)
        {
            value = {head.text.substr(colon + 1), colon + 1};
            has_value = true;
        }
        for (std::size_t at = comma; at != std::string_view::npos;)
        {
            const std::size_t begin = at + 1;
            at = text.find(',', begin);
            const std::size_t length = at == std::string_view::npos ? at : at - begin;
            const word pair{text.substr(begin, length), begin};
            const std::size_t equals = pair.text.find('=');
            if (equals == std::string_view::npos)
                expected(pair, "key=value");
            const word key{pair.text.substr(0, equals), begin};
            for (const auto& [earlier, ignored] : options)
            {
                if (earlier.text == key.text)
                    expected(key, "each key once");
            }
            options.emplace_back(key, word{pair.text.substr(equals + 1), begin + equals + 1});
        }
    }

    [[noreturn]] void expected(const word& found, const std::string& what) const
    {
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "policy description '" + std::string(text_) + "', character " +
                std::to_string(found.at + 1) + ": expected " + what + ", found '" +
                std::string(found.text) + "'");
    }

    std::size_t number(const word& from) const
    {
        std::size_t number = 0;
        const char* const end = from.text.data() + from.text.size();
        const auto [stop, code] = std::from_chars(from.text.data(), end, number);
        if (code != std::errc() || stop != end || number == 0 || number > most_threads)
            expected(from, "a number of threads, 1 to " + std::to_string(most_threads));
        return number;
    }

    // The value that `from` names among `choices`.
    template <class Value>
    Value one_of(
        const word& from, const std::vector<std::pair<std::string_view, Value>>& choices) const
    {
        std::string names;
        for (const auto& [each, value_of_each] : choices)
        {
            if (each == from.text)
                return value_of_each;
            names += (names.empty() ? "" : ", ") + std::string(each);
        }
        expected(from, "one of " + names);
    }

    void no_value() const
    {
        if (has_value)
            expected(value, "no value after '" + std::string(name.text) + "'");
    }

    void no_options() const
    {
        if (!options.empty())
            expected(options.front().first, "no options for '" + std::string(name.text) + "'");
    }

    word name;
    word value;
    bool has_value = false;
    std::vector<std::pair<word, word>> options;

private:
    std::string_view text_;
};

using policy_pointer = std::shared_ptr<event_loop_policy>;

policy_pointer make_default(const description& from)
{
    from.no_value();
    creation where = creation::every_thread;
    for (const auto& [key, value] : from.options)
    {
        from.one_of<int>(key, {{"creation", 0}});
        where = from.one_of<creation>(
            value, {{"every_thread", creation::every_thread},
                       {"main_thread", creation::main_thread}, {"never", creation::never}});
    }
    return std::make_shared<default_policy>(where);
}

policy_pointer make_shared_policy(const description& from)
{
    from.no_options();
    return from.has_value ? std::make_shared<shared_policy>(from.number(from.value))
                          : std::make_shared<shared_policy>();
}

policy_pointer make_threaded(const description& from)
{
    from.no_value();
    from.no_options();
    return std::make_shared<threaded_policy>();
}

policy_pointer make_pool(const description& from)
{
    enum class option
    {
        chooser,
        pin,
        name,
    };
    pool_options made;
    if (from.has_value)
        made.threads = from.number(from.value);
    for (const auto& [key, value] : from.options)
    {
        switch (from.one_of<option>(
            key, {{"chooser", option::chooser}, {"pin", option::pin}, {"name", option::name}}))
        {
        case option::chooser:
            made.chooser = from.one_of<chooser>(
                value, {{"round_robin", round_robin}, {"least_loaded", least_loaded},
                           {"two_choices", two_choices}, {"by_key", by_key}, {"by_cpu", by_cpu},
                           {"prefer_current", prefer_current()}});
            break;
        case option::pin:
            made.pin =
                from.one_of<pinning>(value, {{"none", pinning::none}, {"compact", pinning::compact},
                                                {"spread", pinning::spread}});
            break;
        case option::name: made.name = std::string(value.text); break;
        }
    }
    return std::make_shared<pool_policy>(std::move(made));
}

} // namespace

std::shared_ptr<event_loop_policy> make_policy(std::string_view text)
{
    using maker = policy_pointer (*)(const description&);
    const description from(text);
    const auto make = from.one_of<maker>(from.name,
        {{"default", make_default}, {"per_thread", make_default}, {"shared", make_shared_policy},
            {"threaded", make_threaded}, {"pool", make_pool}});
    return make(from);
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
