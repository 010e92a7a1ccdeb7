// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_KEYED_POLICY_HPP
#define LOOPS_IMPL_KEYED_POLICY_HPP

#include <loops/error.hpp>
#include <loops/policy/keyed_policy.hpp>

#include <boost/system/errc.hpp>

#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

template <class T, class = void>
struct is_printable : std::false_type
{};

template <class T>
struct is_printable<T,
    std::void_t<decltype(std::declval<std::ostream&>() << std::declval<const T&>())>>
    : std::true_type
{};

// Not an aggregate, of which C++20 alone would make one: the same keys under each standard.
template <class Key>
constexpr bool is_made_of_numbers =
    std::is_constructible_v<Key, std::uint64_t> && !std::is_aggregate_v<Key>;

template <class Key, class Hash, class Equal>
class key_type_of final : public key_type
{
public:
    using context_function = std::function<std::optional<Key>()>;

    key_type_of(context_function context_of, Hash hash, Equal equal)
        : context_of_(std::move(context_of)), hash_(std::move(hash)), equal_(std::move(equal))
    {}

    const std::type_info& type() const noexcept override { return typeid(Key); }
    std::size_t hash(const void* key) const override { return hash_(of(key)); }
    bool equal(const void* a, const void* b) const override { return equal_(of(a), of(b)); }

    std::shared_ptr<const void> copy(const void* key) const override
    {
        return std::make_shared<const Key>(of(key));
    }

    std::string print(const void* key) const override
    {
        if constexpr (is_printable<Key>::value)
        {
            std::ostringstream text;
            text << of(key);
            return text.str();
        }
        else
        {
            return (void)key, std::string();
        }
    }

    asio::io_context* in_context(const use& with) const override
    {
        if (!context_of_)
            return nullptr;
        const std::optional<Key> key = context_of_();
        return key ? with(&*key) : nullptr;
    }

    asio::io_context* of_number(std::uint64_t number, const use& with) const override
    {
        if constexpr (is_made_of_numbers<Key>)
        {
            const Key key = static_cast<Key>(number);
            if constexpr (std::is_integral_v<Key>)
            {
                if (static_cast<std::uint64_t>(key) != number)
                    throw_error(make_error_code(boost::system::errc::invalid_argument),
                        "selecting a loop by key " + std::to_string(number) +
                            ", which is out of the range of the policy's keys");
            }
            return with(&key);
        }
        else
        {
            return (void)number, (void)with, nullptr;
        }
    }

private:
    static const Key& of(const void* key) noexcept { return *static_cast<const Key*>(key); }

    const context_function context_of_;
    const Hash hash_;
    const Equal equal_;
};

} // namespace detail

template <class Key, class Hash, class Equal>
keyed_policy<Key, Hash, Equal>::keyed_policy(
    context_function context_of, keyed_options options, Hash hash, Equal equal)
    : keyed_policy_base(std::make_unique<detail::key_type_of<Key, Hash, Equal>>(
                            std::move(context_of), std::move(hash), std::move(equal)),
          std::move(options))
{}

} // namespace LOOPS_ABI
} // namespace loops

#endif
