// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_FILE_TREE_HPP
#define LOOPS_SRC_WATCHER_FILE_TREE_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>
#include <loops/watcher/file_watcher.hpp>

#include "platform/file_notices.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The directories that a file_watcher watches, and what the system's notices about them mean. It has no lock and
// no loop.
//
// A directory's path is that of its parent and a name, so that a renamed one takes what is below it along at no cost.
// Roots know nothing of each other; they share the system's watches, of which a directory has one.
class file_tree
{
public:
    // The descriptor stays the caller's.
    explicit file_tree(int notices) : notices_(notices) {}
    file_tree(const file_tree&) = delete;
    file_tree& operator=(const file_tree&) = delete;
    ~file_tree();

    // Strong guarantee, also as to errors.
    void add(const std::filesystem::path& path, file_watch_options options, error_code& ec);
    bool remove(const std::filesystem::path& path);
    std::vector<std::filesystem::path> roots() const;
    void clear() noexcept;

    // Takes notices, until there are so many events or no more notices.
    void read(std::size_t enough);

    // The next event, if it is known what it is.
    std::optional<file_event> take();

    // Where the next event is half a move: until when its other half must have come.
    std::optional<loop_clock::time_point> patience_ends() const;

private:
    struct root;

    struct directory
    {
        root* of = nullptr;
        directory* parent = nullptr; // null: it is its root's, or amid a move
        std::string name;            // in its parent; amid a move, its path in its root
        int watch = -1;
        std::map<std::string, std::unique_ptr<directory>, std::less<>> children;
        // What was told as created because it was found here, and may be told by a notice still.
        std::set<std::string, std::less<>> found;
    };

    struct root
    {
        std::filesystem::path given;
        std::filesystem::path place; // absolute, of the directory
        std::string file;            // its name, where the root is a file
        file_watch_options options;
        std::unique_ptr<directory> top;
    };

    // An event; of a move as yet that something has left its place, if it is half.
    struct entry
    {
        file_event event;   // file_changes::none: it is not told
        root* of = nullptr; // null: it is no more
        bool half = false;
        loop_clock::time_point since{};
        std::unique_ptr<directory> moved; // null: a file, or a directory that is not watched
        const directory* amid = nullptr;  // the moved one below which this happened
    };

    using root_list = std::list<std::unique_ptr<root>>;

    std::filesystem::path below(const directory& in) const;
    std::filesystem::path place_of(const directory& in) const;
    std::filesystem::path path_of(const directory& in, std::string_view name) const;
    root_list::iterator find(const std::filesystem::path& path);
    std::unique_ptr<root> make(
        const std::filesystem::path& path, file_watch_options options, error_code& ec) const;

    void watch(directory& it, bool follow, error_code& ec);
    void unwatch(directory& it) noexcept;
    void forget(directory& it) noexcept;
    error_code enter(directory& parent, const std::string& name, bool tell);
    error_code enter_all(directory& it, bool tell);
    void end(root& it) noexcept;

    void on_notice(const platform::file_notice& notice);
    void on_notice(directory& in, const platform::file_notice& notice);
    void on_self(directory& it);
    void on_created(directory& in, const platform::file_notice& notice);
    void on_removed(directory& in, const platform::file_notice& notice);
    void on_moved_from(directory& in, const platform::file_notice& notice);
    void on_moved_to(directory& in, const platform::file_notice& notice);
    void on_overflow();
    void forget_found() noexcept;
    void end_old_halves();
    void find_in(directory& in, const std::string& name, std::unique_ptr<directory> moved);
    entry* half_of(std::uint32_t cookie, const root* from) noexcept;
    template <class Predicate>
    void end_halves(Predicate which);

    static entry entry_of(
        root& of, file_changes what, std::filesystem::path path, bool is_directory);
    static bool wants(const root& of, file_changes what) noexcept;
    bool is_told(const std::filesystem::path& path);
    void tell(root& of, file_changes what, std::filesystem::path path, bool is_directory,
        std::uint32_t cookie = 0);
    void tell_unwatched(const directory& parent, const std::string& name, const error_code& ec);

    const int notices_;
    root_list roots_;
    std::unordered_multimap<int, directory*> by_watch_;
    std::set<directory*> with_found_;
    std::deque<entry> events_;
    std::size_t halves_ = 0;                  // of the events
    std::vector<std::filesystem::path> told_; // for the present notice
    const directory* amid_ = nullptr;         // likewise
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
