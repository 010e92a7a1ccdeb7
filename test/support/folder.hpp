// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_FOLDER_HPP
#define LOOPS_TEST_SUPPORT_FOLDER_HPP

#include "support/child_processes.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <stdlib.h>

namespace test {

// A folder that is there while it lives, with all that is put into it.
class folder
{
public:
    folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "loops-XXXXXX").string();
        require(::mkdtemp(name.data()) != nullptr, "mkdtemp");
        path_ = name;
    }

    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    ~folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

    void write(const std::string& name, const std::string& text = "text") const
    {
        std::ofstream(path_ / name) << text;
    }

    void make(const std::string& name) const { std::filesystem::create_directories(path_ / name); }

    void rename(const std::string& from, const std::string& to) const
    {
        std::filesystem::rename(path_ / from, path_ / to);
    }

    void remove(const std::string& name) const { std::filesystem::remove_all(path_ / name); }

private:
    std::filesystem::path path_;
};

} // namespace test

#endif
