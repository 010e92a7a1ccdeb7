// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_FILE_WAITS_HPP
#define LOOPS_SRC_WATCHER_FILE_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>
#include <loops/watcher/file_watcher.hpp>

#include "watcher/event_waits.hpp"
#include "watcher/file_tree.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a file_watcher does.
class file_waits final : public event_waits<file_event>
{
public:
    static std::shared_ptr<file_waits> make();

    explicit file_waits(int notices);

    const char* of_what() const noexcept override { return "files"; }

    void add_root(const std::filesystem::path& path, file_watch_options options, error_code& ec);
    bool remove_root(const std::filesystem::path& path);
    std::vector<std::filesystem::path> roots() const;

private:
    void look(std::size_t enough) override;
    std::optional<file_event> take() override;
    std::optional<loop_clock::time_point> next_look() const override;
    void clear() noexcept override;

    file_tree tree_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
