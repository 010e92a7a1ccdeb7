// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

//! Runs a runtime of tokio's that has one thread, and does what it is told on standard input.
//!
//! usage: tokio_host PROGRAM [counts]
//!        tokio_host rule NAME
//!
//! PROGRAM is what it starts. A line is an operation; each is answered by lines that end with "ok ...", "no" or "refused ...". The second form
//! prints what it does about a rule.

mod host;
mod rules;
mod system;

use host::Host;
use std::io::{self, BufRead};
use std::str::FromStr;

/// Why an operation was not carried out.
pub enum Problem {
    NotOffered,
    Refused(String),
}

impl From<io::Error> for Problem {
    fn from(problem: io::Error) -> Self {
        Problem::Refused(problem.to_string())
    }
}

fn parsed<T: FromStr>(args: &[&str], at: usize) -> Result<T, Problem> {
    let word = args.get(at).and_then(|word| word.parse().ok());
    word.ok_or_else(|| Problem::Refused(format!("argument {at} is none")))
}

fn carry_out(host: &mut Host, what: &str, args: &[&str]) -> Result<i64, Problem> {
    match what {
        "begin" => return Ok(host.begin(args)?.into()),
        "start" => return Ok(system::start(host.program(), args)?.into()),
        "complete" => host.complete()?,
        "start_failing" => host.start_failing()?,
        "watch" => return Ok(host.watch(parsed(args, 0)?, parsed(args, 1)?)? as i64),
        "run" => {
            for told in host.run(parsed(args, 0)?, parsed(args, 1)?)? {
                println!("told {told}");
            }
            return Ok(host.long_one().into());
        }
        "cancel" => host.cancel(parsed(args, 0)?),
        "drop" => host.drop_child(parsed(args, 0)?)?,
        "drop_watcher" => host.drop_all()?,
        "drop_loop" => host.drop_runtime(),
        "close" => host.close(),
        "held" => return Ok(host.is_held(parsed(args, 0)?).into()),
        "start_as" => system::start_as(parsed(args, 0)?, host.program(), &args[1..])?,
        "reap" => return Ok(system::reap(parsed(args, 0)?).into()),
        "reap_by_thread" => host.reap_by_thread(parsed(args, 0)?),
        "reaped" => return Ok(host.reaped()?.into()),
        "ignore_signal" => system::ignore_signal(),
        "signals" => return Ok(system::signals() as i64),
        "counter_stands" => return Ok(system::counter_stands().into()),
        "use_up_descriptors" => host.use_up_descriptors(parsed(args, 0)?)?,
        "release_descriptors" => host.release_descriptors(),
        "hello" => {}
        _ => return Err(Problem::NotOffered),
    }
    Ok(0)
}

fn main() -> io::Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given[0] == "rule" {
        println!(
            "{}",
            rules::word(&given[1]).unwrap_or_else(|| "-".to_owned())
        );
        return Ok(());
    }
    if given.iter().any(|word| word == "counts") {
        system::count_signals();
    }
    let mut host = Host::new(&given[0])?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match carry_out(&mut host, words[0], &words[1..]) {
            Ok(number) => println!("ok {number}"),
            Err(Problem::NotOffered) => println!("no"),
            Err(Problem::Refused(why)) => println!("refused {why}"),
        }
    }
    Ok(())
}
