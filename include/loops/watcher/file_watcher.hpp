// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_FILE_WATCHER_HPP
#define LOOPS_WATCHER_FILE_WATCHER_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>
#include <loops/watcher/attached_watcher.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class file_waits;
} // namespace detail

/// What happened to a file or directory; as a set, what is to be told.
enum class file_changes : unsigned
{
    /// Nothing.
    none = 0,
    /// It is there: made, moved in from where nothing is watched, or found in a directory that is new.
    created = 1,
    /// Something was written into it. A program that writes much causes many of these.
    modified = 2,
    /// It was closed by somebody who had it open for writing.
    written = 4,
    /// Its times, owner, permissions or links changed.
    attributes = 8,
    /// It is gone: removed, or moved to where nothing is watched.
    removed = 16,
    /// It has another name.
    renamed = 32,
    /// Too much happened at a time: what was below this root may have changed in any way since the event
    /// before. Look at it anew. Told always.
    overflow = 64,
    /// A directory below a recursive root cannot be watched, for the reason in file_event::error: what is in it is not told.
    /// Told always.
    unwatched = 128,
    /// What most programs want: `created`, `written`, `removed`, `renamed`.
    usual = created | written | removed | renamed,
    /// Each kind of change.
    all = usual | modified | attributes
};

/// What is in either.
constexpr file_changes operator|(file_changes a, file_changes b) noexcept
{
    return static_cast<file_changes>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// What is in both.
constexpr file_changes operator&(file_changes a, file_changes b) noexcept
{
    return static_cast<file_changes>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

/// Writes the names: `created`, or `created|removed`.
LOOPS_DECL std::ostream& operator<<(std::ostream& to, file_changes what);

/// Something that happened.
struct file_event
{
    /// One of them.
    file_changes what = file_changes::none;
    /// Which file or directory: the path of the root as it was given, and what is below it.
    std::filesystem::path path;
    /// With `renamed`, what it was called before.
    std::filesystem::path from;
    /// Not 0 where it was moved: the same in all events of one move, those of other watchers included.
    std::uint32_t cookie = 0;
    /// Whether it is a directory, as far as the system tells.
    bool is_directory = false;
    /// With `unwatched`, why.
    error_code error;
};

/// What of a path is watched.
struct file_watch_options
{
    /// Of a directory: whether what is below its subdirectories is watched, too, those that come later included. Symbolic links
    /// are not followed.
    bool recursive = false;

    /// What is told.
    file_changes wanted = file_changes::usual;
};

/// Tells what happens to files and directories, by inotify.
///
/// A file is watched by its name, in its directory: an editor that writes a new file and renames it over the old one
/// causes a `renamed` or `created` event, and what comes after that is told of the new file. It may come later than the
/// watch. A directory is watched itself, with its entries: once it is removed or moved away, which is told as `removed`,
/// its root is over.
///
/// A new subdirectory of a recursive root is watched as soon as the watcher hears of it, and what is in it by then is told as
/// `created`: nothing is missed, nothing told twice.
///
/// What happens while nobody waits, or while the watcher is detached, waits in the kernel, for the next operation or loop. If that is too
/// much (`fs.inotify.max_queued_events`), there is an `overflow` event for each root: the directories are watched anew before
/// it comes, so that who then looks at them misses nothing.
///
/// Not seen: what another machine does on a network file system, what is written through a memory map, and what is done to a
/// file by another name (a hard link elsewhere).
///
/// It takes one descriptor however many files there are, one more of its loop while somebody waits, and one watch of
/// `fs.inotify.max_user_watches` for each directory.
///
/// @par Fork
/// As the base class has it.
///
/// @par Thread safety
/// As the base class has it.
///
/// @par Example
/// @code
/// loops::file_watcher watcher(loop);
/// loops::file_watch_options recursive;
/// recursive.recursive = true;
/// watcher.add("src", recursive);
/// watcher.async_wait([](loops::error_code ec, loops::file_event event) {
///     if (!ec)
///         std::cout << event.path << ": " << event.what << '\n';
/// });
/// @endcode
class LOOPS_DECL file_watcher : public attached_watcher
{
public:
    /// Makes a watcher that is not attached, and watches nothing yet.
    /// @throws system_error where the system refuses the descriptor: a user may have
    /// `fs.inotify.max_user_instances` of them.
    file_watcher();

    /// Makes a watcher, and attaches it.
    /// @throws As above, and as attach_loop().
    explicit file_watcher(asio::io_context& loop);

    /// Watches a path from now on; it is a root then. Watched already: the options are replaced.
    ///
    /// A recursive root's directories are looked at in this call, which takes some 20 us for each.
    ///
    /// @param path A directory, or a file, whose directory must exist; relative ones are meant now.
    /// @throws system_error with `no_such_file_or_directory`, `permission_denied`, `not_a_directory` (recursive, of a
    /// file), `no_space_on_device` (there are too many watches; the message names the limit),
    /// `error::watcher_closed` or `error::forked`; all is as before then. Subdirectories that cannot be
    /// watched for another reason than the limit are told by events.
    void add(const std::filesystem::path& path, file_watch_options options = {});

    /// The same, with the error in `ec`.
    void add(const std::filesystem::path& path, file_watch_options options, error_code& ec);

    /// Ends the watch of a root. Events that have happened are told all the same.
    /// @param path As it was given to add().
    /// @return Whether it was watched.
    bool remove(const std::filesystem::path& path);

    /// The roots, in the order of their adding.
    std::vector<std::filesystem::path> roots() const;

    /// Waits for the next event. Several waits get one each, in their order.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the loop that the watcher is attached to.
    ///
    /// Where the watcher is not attached, the wait is kept until it is.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::file_event) @endcode
    ///
    /// @par Errors
    /// `operation_aborted`: the wait was cancelled, or the watcher closed. `error::watcher_closed`, `error::forked`. What the
    /// system says else, as that there is no descriptor.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: the wait ends with `operation_aborted`, and no event is lost.
    ///
    /// @throws std::bad_alloc
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, file_event))
                  CompletionToken = detail::default_token>
    auto async_wait(CompletionToken&& token = detail::default_token());

private:
    using wait_handler = asio::any_completion_handler<void(error_code, file_event)>;

    void start_wait(wait_handler handler);

    detail::file_waits& own_waits() const noexcept;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/file_watcher.hpp>

#endif
