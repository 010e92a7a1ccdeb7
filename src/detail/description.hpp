// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_DESCRIPTION_HPP
#define LOOPS_SRC_DETAIL_DESCRIPTION_HPP

#include <loops/config.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// One word of a description, which remembers where it stands there.
struct word
{
    std::string_view text;
    std::size_t at = 0;
};

// One part of a policy's description: `name` or `name:value`, either with `,key=value` behind it.
// Whoever makes the policy asks for what he knows; what nobody asked for is an error.
class description
{
public:
    // The part that begins at `begin`; it ends before a '/', or with the text.
    description(std::string_view text, std::size_t begin);

    // Throws what make_policy() throws: where `found` stands, `what` was expected.
    [[noreturn]] void expected(const word& found, const std::string& what) const;

    const word& name() const noexcept { return name_; }

    // What stands behind ':', or null where no ':' is.
    const word* value() const noexcept { return value_ ? &*value_ : nullptr; }
    const word& needed_value() const;
    void no_value() const;

    // Where the part ends, as a word of no letters.
    word end() const noexcept { return {text_.substr(end_, 0), end_}; }

    // The value of an option, or null.
    const word* option(std::string_view key);

    // Once all options that there are have been asked for.
    void no_other_options() const;

    // The part behind this one's '/', if there is one.
    std::optional<description> next() const;

    // What a word means.
    std::size_t number(const word& from, const std::string& of_what, std::size_t most,
        std::size_t least = 1) const;
    // A whole number and its unit: ns, us, ms or s.
    std::chrono::nanoseconds duration(const word& from) const;
    // What the word names among `choices`.
    template <class Value>
    Value one_of(
        const word& from, const std::vector<std::pair<std::string_view, Value>>& choices) const
    {
        std::vector<std::string_view> names;
        for (const auto& [each, value_of_each] : choices)
        {
            if (each == from.text)
                return value_of_each;
            names.push_back(each);
        }
        expected_one_of(from, names);
    }

private:
    struct option_read
    {
        word key;
        word value;
        bool asked_for = false;
    };

    [[noreturn]] void expected_one_of(
        const word& found, const std::vector<std::string_view>& names) const;

    std::string_view text_;
    std::size_t end_;
    word name_;
    std::optional<word> value_;
    std::vector<option_read> options_;
    std::vector<std::string_view> known_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
