// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_KEYED_HPP
#define LOOPS_DETAIL_KEYED_HPP

#include <loops/config.hpp>
#include <loops/lease.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

struct run_frame;

// A key_scope on the calling thread. The chain of them begins in the library, so that every shared
// object sees all of them.
class LOOPS_DECL key_scope_node
{
public:
    key_scope_node(const std::type_info& type, const void* key) noexcept;
    key_scope_node(const key_scope_node&) = delete;
    key_scope_node& operator=(const key_scope_node&) = delete;
    ~key_scope_node();

    const void* key() const noexcept { return key_; }

    // Whether it was entered inside of the run that the thread is in now, if it is in one.
    bool is_inside_of_run() const noexcept;

    // Keeps a loop of a policy's until the scope ends; the one of before is let go.
    void hold(std::uint64_t policy, asio::io_context& loop) const;

    // The innermost one of a type on this thread, or null.
    static const key_scope_node* innermost(const std::type_info& type) noexcept;

private:
    const std::type_info& type_;
    const void* const key_;
    const key_scope_node* const outer_;
    const run_frame* const entered_in_;
    mutable std::vector<std::pair<std::uint64_t, lease>> held_;
};

// What only the template knows of its keys.
class LOOPS_DECL key_type
{
public:
    // What is done with a key, which lives as long as that.
    using use = std::function<asio::io_context*(const void* key)>;

    key_type() = default;
    key_type(const key_type&) = delete;
    key_type& operator=(const key_type&) = delete;
    virtual ~key_type();

    virtual const std::type_info& type() const noexcept = 0;
    virtual std::size_t hash(const void* key) const = 0;
    virtual bool equal(const void* a, const void* b) const = 0;
    virtual std::shared_ptr<const void> copy(const void* key) const = 0;
    // Empty where it cannot be printed.
    virtual std::string print(const void* key) const = 0;

    // What `with` makes of the key that the user's function gives, or null where it gives none.
    virtual asio::io_context* in_context(const use& with) const = 0;
    // The same of the key that is made of a number; null where none can be.
    virtual asio::io_context* of_number(std::uint64_t number, const use& with) const = 0;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
