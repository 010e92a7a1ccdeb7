// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

//! What happens in the process beside tokio.

use crate::Problem;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem;
use std::panic;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_number: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

fn counter() -> libc::sighandler_t {
    count_signal as extern "C" fn(libc::c_int) as libc::sighandler_t
}

/// The application counts SIGCHLD in a handler of its own.
pub fn count_signals() {
    unsafe { libc::signal(libc::SIGCHLD, counter()) };
}

pub fn ignore_signal() {
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

pub fn signals() -> usize {
    SIGNALS.load(Ordering::Relaxed)
}

pub fn counter_stands() -> bool {
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(libc::SIGCHLD, ptr::null(), &mut action);
        action.sa_sigaction == counter()
    }
}

/// What a forked child finds, which does nothing else.
pub fn in_fork(finds: fn() -> bool) -> io::Result<bool> {
    let mut status = 0;
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let found = panic::catch_unwind(finds).unwrap_or(true);
            libc::_exit(found.into());
        }
        if pid < 0 || libc::waitpid(pid, &mut status, 0) != pid {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(status != 0)
}

/// Starts a child of which tokio knows nothing.
pub fn start(program: &str, args: &[&str]) -> io::Result<u32> {
    Ok(Command::new(program).args(args).spawn()?.id())
}

/// Starts a child that has this number.
pub fn start_as(wanted: libc::pid_t, program: &str, args: &[&str]) -> Result<(), Problem> {
    let c_string = |word: &&str| CString::new(*word).expect("a line's words have no zeros");
    let words: Vec<CString> = [program].iter().chain(args).map(c_string).collect();
    let mut argv: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(ptr::null());
    unsafe {
        let mut how: libc::clone_args = mem::zeroed();
        how.exit_signal = libc::SIGCHLD as u64;
        how.set_tid = &wanted as *const libc::pid_t as u64;
        how.set_tid_size = 1;
        let size = mem::size_of_val(&how);
        let made = libc::syscall(libc::SYS_clone3, &mut how, size);
        if made == 0 {
            libc::execv(argv[0], argv.as_ptr());
            libc::_exit(127);
        }
        if made == wanted.into() {
            Ok(())
        } else {
            Err(Problem::NotOffered)
        }
    }
}

/// Waits for a child as others do. Gives the status, or -1 where there is no such child.
pub fn reap(pid: libc::pid_t) -> i32 {
    loop {
        let mut status = 0;
        if unsafe { libc::waitpid(pid, &mut status, 0) } == pid {
            return status;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return -1;
        }
    }
}

/// Leaves so many descriptors to be had while what it gives is there.
pub fn use_up_descriptors(left: usize) -> io::Result<Vec<File>> {
    unsafe {
        let mut limit: libc::rlimit = mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = 256;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    let mut all = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    all.truncate(all.len().saturating_sub(left));
    Ok(all)
}

/// The time, by the clock of the programs that compare.
pub fn monotonic_nanoseconds() -> i64 {
    unsafe {
        let mut now: libc::timespec = mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now);
        now.tv_sec * 1_000_000_000 + now.tv_nsec
    }
}
