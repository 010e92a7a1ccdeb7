// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "../children/host.hpp"
#include "../children/python.hpp"
#include "../children/subject.hpp"
#include "pair.hpp"

#include <stdexcept>

namespace trips {
namespace {

// Two loops of a Python process, which measures itself.
class asyncio_pair final : public pair
{
public:
    explicit asyncio_pair(const char* library) : asyncio_pair(library, two_places()) {}

    times trips(std::size_t count) override
    {
        times taken;
        process_.tell(std::to_string(count) + "\n");
        if (std::fscanf(process_.said(), "%lf %lf", &taken.wall, &taken.cpu) != 2)
            throw std::runtime_error("asyncio: its process is gone");
        return taken;
    }

    void poke() override { process_.tell("poke\n"); }

    double cpu() const override { return children::cpu_nanoseconds(process_.pid()); }

private:
    asyncio_pair(const char* library, const std::array<unsigned, 2>& places)
        : process_(children::python(
              "asyncio_trips.py", {library, std::to_string(places[0]), std::to_string(places[1])}))
    {}

    const children::host process_;
};

} // namespace

void add_asyncio(std::vector<setting>& all)
{
    if (!children::has_python())
        return;
    all.push_back({"asyncio", [] { return std::make_unique<asyncio_pair>("asyncio"); }});
    if (children::has_uvloop())
        all.push_back({"uvloop", [] { return std::make_unique<asyncio_pair>("uvloop"); }});
}

} // namespace trips
