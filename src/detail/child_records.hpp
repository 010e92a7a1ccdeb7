// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CHILD_RECORDS_HPP
#define LOOPS_SRC_DETAIL_CHILD_RECORDS_HPP

#include <loops/child_exit.hpp>
#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "platform/linux/child.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/unordered_set_hook.hpp>

#include <chrono>
#include <cstdint>
#include <utility>
#include <variant>

// What the books hold. There may be ten thousand of each: a child with one wait is to take no more
// than 256 bytes of all of them, which is why things are where they are.

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class child_waits;
class wait_service;
struct child_record;

// A hook knows no list: what is linked can be taken out of whichever it is in.
using list_hook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

template <class T, list_hook T::*Hook>
using linked_list = boost::intrusive::list<T, boost::intrusive::member_hook<T, list_hook, Hook>,
    boost::intrusive::constant_time_size<false>>;

// Puts what is first in a list behind all others.
template <class List>
void rotate(List& list) noexcept
{
    list.splice(list.end(), list, list.begin());
}

using table_hook = boost::intrusive::unordered_set_member_hook<
    boost::intrusive::link_mode<boost::intrusive::normal_link>>;

// A wait that ended, out of the books, to be handed over with no lock held.
struct ended_wait
{
    child_watcher::wait_handler handler;
    asio::any_completion_executor executor; // empty: the loop that delivers, itself
    error_code ec;
    child_exit exit;

    // Asio 1.81's any_completion_handler never returns from its move assignment.
    void swap(ended_wait& other) noexcept
    {
        handler.swap(other.handler);
        executor.swap(other.executor);
        std::swap(ec, other.ec);
        std::swap(exit, other.exit);
    }

    // Runs the handler on its executor. What the handler throws inline is thrown.
    void complete() &&;
};

// How a wait learns that its child ended.
enum class watching : unsigned char
{
    by_pidfd,  // the child's pidfd, in the inner epoll of the wait's loop
    by_thread, // the reaper, woken by a thread that waits for any child
    by_signal, // the reaper, woken by SIGCHLD
    by_look    // a timer of the wait's loop
};

// How often it is checked whether a living child is the one that was registered.
constexpr std::chrono::seconds thorough_interval(1);

// How often a loop looks at the children that it watches by_look.
struct look_bounds
{
    std::chrono::nanoseconds shortest = std::chrono::milliseconds(1);
    std::chrono::nanoseconds longest = std::chrono::milliseconds(50);
};

// That a child is watched for the waits of one loop.
struct child_watch
{
    child_record* child = nullptr;
    wait_service* service = nullptr; // null: not in use
    child_watch* next = nullptr;     // of the same child
    std::uint32_t waits = 0;
    watching wanted = watching::by_pidfd;
    watching how = watching::by_pidfd; // another one where the system refuses that
    bool is_new = true;                // the reaper has not looked at the child yet
    list_hook in_service;
    list_hook in_reaper;
};

enum class wait_stage : unsigned char
{
    pending,     // it has a child
    ended,       // its end is queued on its service, or kept where it has none
    handed_over, // an added handler that left the service: what is left is its exit
    kept_exit,   // of an added handler that was removed: for the next registration
    condemned    // about to be destroyed uncalled
};

// One wait, or what is left of it. Made by value initialization, which has the bits be 0.
struct child_wait
{
    std::uint64_t id = 0;
    table_hook in_table;
    unsigned generation = 0; // of the process, by forks
    pid_type pid = 0;
    std::int32_t error_value = 0; // see error()
    char error_home = 0;
    wait_stage stage = wait_stage::pending;
    bool has_executor : 1; // of its own: it does not follow the watcher's attachment
    bool is_handler : 1;
    bool is_state : 1;   // it ends with the child's next change of state, too
    bool is_reused : 1;  // the kernel gave its number to another child
    bool is_watched : 1; // by its service
    child_watcher::wait_handler handler;
    asio::any_completion_executor* executor = nullptr; // null: the loop that delivers, itself
    child_record* child = nullptr;   // that it waits for; once it ended, what holds its exit
    wait_service* service = nullptr; // null while the watcher is detached: it is kept
    child_waits* owner = nullptr;
    list_hook in_list; // its child's; once it ended the service's, the kept exits, the condemned
    list_hook in_owner;

    // What it ended with, of one of the categories that waits end with: in half of the room.
    error_code error() const noexcept
    {
        const auto& home = error_home == 'l'   ? loops_category()
                           : error_home == 'g' ? boost::system::generic_category()
                                               : boost::system::system_category();
        return error_code(error_value, home);
    }

    void set_error(const error_code& ec) noexcept
    {
        error_value = ec.value();
        error_home = ec.category() == loops_category()                    ? 'l'
                     : ec.category() == boost::system::generic_category() ? 'g'
                                                                          : 's';
    }

    // Whether it ended with an exit that whoever asks for its number may be given.
    bool has_exit() const noexcept
    {
        return stage != wait_stage::pending && child != nullptr && !is_reused;
    }
};

using wait_list = linked_list<child_wait, &child_wait::in_list>;

// A child that somebody waits for, whoever waits on whatever loop. It has one descriptor where one
// of them watches it by that, and is told from a later one of its number by its birth where none
// does. When it ended it holds the exit for the waits that have not been delivered yet: at that
// moment there may be no memory.
struct child_record
{
    struct alive_part
    {
        wait_list waits;
        child_watch first; // others follow it
    };

    table_hook in_table;
    unsigned generation = 0;
    pid_type pid = 0;
    int pidfd = -1;
    std::uint32_t sequence = 0; // tells it from earlier ones of its number
    std::uint32_t holders = 0;  // ended waits that have its exit
    platform::process_birth::source birth_from = platform::process_birth::source::none;
    std::uint64_t birth = 0;
    std::variant<alive_part, child_exit> part;

    platform::child_id id() const noexcept { return {pid, pidfd}; }
    platform::process_birth born() const noexcept { return {birth_from, birth}; }
    alive_part& alive() noexcept { return *std::get_if<alive_part>(&part); }
    wait_list& waits() noexcept { return alive().waits; }
    const child_exit& exit() const noexcept { return *std::get_if<child_exit>(&part); }

    void hold(const child_exit& exit) noexcept
    {
        try
        {
            part.emplace<child_exit>(exit);
        }
        catch (const std::bad_variant_access&) // what is put there is there
        {}
    }
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
