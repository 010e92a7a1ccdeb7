// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_LAUNCHER_HPP
#define LOOPS_PROCESS_LAUNCHER_HPP

#include <loops/config.hpp>
#include <loops/detail/boost_process.hpp>
#include <loops/detail/launch.hpp>
#include <loops/error.hpp>
#include <loops/process/start.hpp>

#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/is_executor.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

template <class Initializer, class = void>
struct acts_in_child : std::false_type
{};
template <class Initializer>
struct acts_in_child<Initializer, std::void_t<decltype(std::declval<Initializer&>().on_exec_setup(
                                      std::declval<boost::process::v2::posix::default_launcher&>(),
                                      std::declval<const boost::process::v2::filesystem::path&>(),
                                      std::declval<const char* const*&>()))>> : std::true_type
{};

// The highest of this process's descriptors that an initializer uses in the child, where that is known.
template <class Initializer>
int highest_descriptor(const Initializer&)
{
    return acts_in_child<Initializer>::value ? std::numeric_limits<int>::max() : -1;
}
inline int highest_descriptor(const boost::process::v2::process_stdio& it)
{
    return std::max({it.in.fd, it.out.fd, it.err.fd});
}
inline int highest_descriptor(const boost::process::v2::posix::bind_fd& it)
{
    return it.fd;
}
inline int highest_descriptor(const boost::process::v2::process_start_dir&)
{
    return -1;
}

} // namespace detail

/// Starts processes for Boost.Process v2 as start_process() does: at a cost that does not grow with the memory
/// of this process, and without Asio's `notify_fork`.
///
/// Initializers of Boost.Process work as with its own launchers: `process_stdio`, `process_environment`,
/// `process_start_dir`. One of yours may have all of their functions; what its `on_exec_setup`
/// does is done in the memory of this process, while the calling thread waits: it must neither allocate nor
/// lock, and `on_exec_error` is called in this process.
///
/// The started process's signals are at their defaults, and none is blocked. No descriptor is open there but the
/// standard ones and what initializers have put into `fd_whitelist`. Where the start fails there is no zombie.
///
/// With many open descriptors the kernel's copy of their table costs most of a start. It is not copied above the
/// highest one that the child needs, which is known of Boost.Process's own initializers; with one of yours
/// that has `on_exec_setup` it is copied whole.
///
/// @code
/// loops::launcher launch;
/// boost::process::v2::process child = launch(loop, "/usr/bin/make", std::vector<std::string>{"all"});
/// watcher->async_wait(std::move(child), handler);
/// @endcode
///
/// @par Thread safety
/// Objects are to be used by one thread at a time; different objects by different ones.
class launcher : public boost::process::v2::posix::default_launcher
{
    template <class Context>
    using if_context = std::enable_if_t<std::is_convertible_v<Context&, asio::execution_context&>>;
    template <class Executor>
    using if_executor = std::enable_if_t<asio::execution::is_executor<Executor>::value ||
                                         asio::is_executor<Executor>::value>;

public:
    /// Starts a program.
    ///
    /// @param executor What the returned object is for; it may be a context as well.
    /// @param executable A path; nothing is looked for in `PATH`.
    /// @param arguments A range of texts, without the program's own name.
    /// @param initializers What Boost.Process takes after that.
    /// @param ec Of start_category(): see start_process(). The object is empty then.
    ///
    /// @return The process, which has the descriptor that it was started with.
    template <class Executor, class Arguments, class... Initializers, class = if_executor<Executor>>
    boost::process::v2::basic_process<Executor> operator()(Executor executor, error_code& ec,
        const boost::process::v2::filesystem::path& executable, Arguments&& arguments,
        Initializers&&... initializers)
    {
        namespace hooks = boost::process::v2::posix::detail;
        using process = boost::process::v2::basic_process<Executor>;
        argv_.clear();
        argv_buffer_.clear();
        const char* const* argv = this->build_argv_(executable, std::forward<Arguments>(arguments));
        ec = hooks::on_setup(*this, executable, argv, initializers...);
        if (ec)
        {
            hooks::on_error(*this, executable, argv, ec, initializers...);
            return process(std::move(executor));
        }
        std::sort(fd_whitelist.begin(), fd_whitelist.end());
        const int highest = std::max({fd_whitelist.empty() ? -1 : fd_whitelist.back(),
            detail::highest_descriptor(initializers)...});
        auto in_child = [&]() -> int {
            const error_code failed =
                hooks::on_exec_setup(*this, executable, argv, initializers...);
            if (!failed)
                detail::close_all_but(fd_whitelist.data(), fd_whitelist.size());
            return failed.value();
        };
        using function = decltype(in_child);
        const auto call = [](void* it) -> int { return (*static_cast<function*>(it))(); };
        started_process started =
            detail::launch({executable.c_str(), argv, env, call, &in_child, highest}, ec);
        fd_whitelist = {0, 1, 2};
        pid = ec ? -1 : started.id();
        if (ec)
        {
            hooks::on_exec_error(*this, executable, argv, ec, initializers...);
            hooks::on_error(*this, executable, argv, ec, initializers...);
            return process(std::move(executor));
        }
        process made(std::move(executor), started.id(), started.release());
        hooks::on_success(*this, executable, argv, initializers...);
        return made;
    }

    /// The same. @throws system_error
    template <class Executor, class Arguments, class... Initializers, class = if_executor<Executor>>
    boost::process::v2::basic_process<Executor> operator()(Executor executor,
        const boost::process::v2::filesystem::path& executable, Arguments&& arguments,
        Initializers&&... initializers)
    {
        error_code ec;
        auto made = (*this)(std::move(executor), ec, executable, std::forward<Arguments>(arguments),
            std::forward<Initializers>(initializers)...);
        if (ec)
            detail::throw_error(ec, "starting '" + executable.string() + "'");
        return made;
    }

    /// The same for a context's own executor.
    template <class Context, class Arguments, class... Initializers, class = if_context<Context>>
    boost::process::v2::basic_process<typename Context::executor_type> operator()(Context& context,
        error_code& ec, const boost::process::v2::filesystem::path& executable,
        Arguments&& arguments, Initializers&&... initializers)
    {
        return (*this)(context.get_executor(), ec, executable, std::forward<Arguments>(arguments),
            std::forward<Initializers>(initializers)...);
    }

    /// The same. @throws system_error
    template <class Context, class Arguments, class... Initializers, class = if_context<Context>>
    boost::process::v2::basic_process<typename Context::executor_type> operator()(Context& context,
        const boost::process::v2::filesystem::path& executable, Arguments&& arguments,
        Initializers&&... initializers)
    {
        return (*this)(context.get_executor(), executable, std::forward<Arguments>(arguments),
            std::forward<Initializers>(initializers)...);
    }
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
