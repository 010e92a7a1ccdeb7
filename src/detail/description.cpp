// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/description.hpp"

#include <loops/error.hpp>

#include <boost/system/errc.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// The number that `from` begins with, which is cut off; nothing where there is none.
template <class Number>
std::optional<Number> leading_number(std::string_view& from)
{
    Number number = 0;
    const auto [stop, code] = std::from_chars(from.data(), from.data() + from.size(), number);
    if (code != std::errc())
        return std::nullopt;
    from.remove_prefix(static_cast<std::size_t>(stop - from.data()));
    return number;
}

// The units of durations, in nanoseconds.
std::int64_t unit_of(std::string_view name)
{
    return name == "ns"   ? 1
           : name == "us" ? 1'000
           : name == "ms" ? 1'000'000
           : name == "s"  ? 1'000'000'000
                          : 0;
}

} // namespace

description::description(std::string_view text, std::size_t begin)
    : text_(text), end_(std::min(text.find('/', begin), text.size()))
{
    const auto between = [&](std::size_t first, std::size_t last) {
        return word{text.substr(first, last - first), first};
    };
    const auto before = [&](char stop, std::size_t from, std::size_t end) {
        return std::min(text.find(stop, from), end);
    };
    std::size_t comma = before(',', begin, end_);
    const std::size_t colon = before(':', begin, comma);
    name_ = between(begin, colon);
    if (colon != comma)
        value_ = between(colon + 1, comma);
    while (comma != end_)
    {
        const std::size_t first = comma + 1;
        comma = before(',', first, end_);
        const std::size_t equals = before('=', first, comma);
        if (equals == comma)
            expected(between(first, comma), "key=value");
        const word key = between(first, equals);
        for (const option_read& earlier : options_)
        {
            if (earlier.key.text == key.text)
                expected(key, "each key once");
        }
        options_.push_back({key, between(equals + 1, comma)});
    }
}

void description::expected(const word& found, const std::string& what) const
{
    throw_error(make_error_code(boost::system::errc::invalid_argument),
        "policy description '" + std::string(text_) + "', character " +
            std::to_string(found.at + 1) + ": expected " + what + ", found '" +
            std::string(found.text) + "'");
}

void description::expected_one_of(
    const word& found, const std::vector<std::string_view>& names) const
{
    std::string all;
    for (const std::string_view each : names)
        all += (all.empty() ? "" : ", ") + std::string(each);
    expected(found, "one of " + all);
}

const word& description::needed_value() const
{
    if (!value_)
        expected({text_.substr(name_.at + name_.text.size(), 0), name_.at + name_.text.size()},
            "':' and a value after '" + std::string(name_.text) + "'");
    return *value_;
}

void description::no_value() const
{
    if (value_)
        expected(*value_, "no value after '" + std::string(name_.text) + "'");
}

const word* description::option(std::string_view key)
{
    known_.push_back(key);
    for (option_read& each : options_)
    {
        if (each.key.text != key)
            continue;
        each.asked_for = true;
        return &each.value;
    }
    return nullptr;
}

void description::no_other_options() const
{
    for (const option_read& each : options_)
    {
        if (each.asked_for)
            continue;
        if (known_.empty())
            expected(each.key, "no options for '" + std::string(name_.text) + "'");
        expected_one_of(each.key, known_);
    }
}

std::optional<description> description::next() const
{
    if (end_ == text_.size())
        return std::nullopt;
    return description(text_, end_ + 1);
}

std::size_t description::number(
    const word& from, const std::string& of_what, std::size_t most, std::size_t least) const
{
    std::string_view rest = from.text;
    const auto number = leading_number<std::size_t>(rest);
    if (!number || !rest.empty() || *number < least || *number > most)
        expected(from, "a number of " + of_what + ", " + std::to_string(least) + " to " +
                           std::to_string(most));
    return *number;
}

std::chrono::nanoseconds description::duration(const word& from) const
{
    std::string_view rest = from.text;
    const auto number = leading_number<std::int64_t>(rest);
    const std::int64_t unit = unit_of(rest);
    if (!number || *number < 0 || unit == 0 ||
        *number > std::chrono::nanoseconds::max().count() / unit)
        expected(from, "a time in ns, us, ms or s, such as 250ms");
    return std::chrono::nanoseconds(*number * unit);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
