// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_STARTERS_HPP
#define LOOPS_BENCH_STARTERS_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace starts {

/// Something that starts a program and waits for its end.
class starter
{
public:
    starter() = default;
    starter(const starter&) = delete;
    starter& operator=(const starter&) = delete;
    virtual ~starter() = default;

    virtual void start_and_wait() = 0;
};

struct kind
{
    std::string name;
    std::function<std::unique_ptr<starter>(const std::string& program)> make;
};

/// All that this build holds; the first is the floor.
std::vector<kind> kinds();

/// Starts and waits by a watcher that waits for as many children more meanwhile.
kind beside_children(std::size_t count);

void add_raw(std::vector<kind>& all);
void add_loops(std::vector<kind>& all);
void add_boost(std::vector<kind>& all);
void add_libuv(std::vector<kind>& all);
void add_glib(std::vector<kind>& all);
void add_libev(std::vector<kind>& all);
void add_asyncio(std::vector<kind>& all);
void add_tokio(std::vector<kind>& all);

/// Makes a kind of a type that is constructed from the program's path.
template <class Starter>
kind kind_of(std::string name)
{
    return {std::move(name), [](const std::string& program) -> std::unique_ptr<starter> {
                return std::make_unique<Starter>(program);
            }};
}

} // namespace starts

#endif
