// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_CHILDREN_HOST_SUBJECT_HPP
#define LOOPS_BENCH_CHILDREN_HOST_SUBJECT_HPP

#include "host.hpp"
#include "subject.hpp"

#include <string>
#include <vector>

namespace children {

// Drives a host, which has the loop, what watches, and the children. The host reads an operation a
// line, and answers each by lines that end with "ok ...", "no" where it is not offered, or
// "refused ..."; those of a run begin with what was told meanwhile, "told WAIT STATUS AT [PROBLEM]".
class host_subject : public subject
{
public:
    // starts: The host starts what it watches, and watches nothing else.
    host_subject(std::vector<std::string> command, bool starts);

    pid_t process() const override { return host_.pid(); }

    bool starts() const override { return starts_; }
    bool attaches() const override { return !starts_; }
    pid_t start(const arguments& args) override;
    pid_t start_raw(const arguments& args) override;
    void start_failing() override;

    int watch(pid_t pid, then action) override;
    void run(long milliseconds, std::size_t reports) override;
    void cancel(int wait) override;
    void drop(int wait) override;
    void drop_watcher(int) override;
    void drop_loop() override;
    void close() override;
    bool is_held(int wait) const override;

    void start_as(pid_t pid, const arguments& args) override;
    int reap(pid_t pid) override;
    void reap_by_thread(pid_t pid) override;
    int reaped() override;
    void ignore_signal() override;
    std::size_t signals_counted() const override;
    bool counter_stands() const override;
    void use_up_descriptors(int left) override;
    void release_descriptors() override;

private:
    // Gives what stands behind "ok".
    std::string ask(const std::string& operation) const;
    int ask_number(const std::string& operation) const;

    const bool starts_;
    const host host_;
};

} // namespace children

#endif
