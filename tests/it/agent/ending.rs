//! The end: a signal is heeded at once, whatever the agent waits for, and the files stay.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::pod::{Agent, Pod};
use super::served::{Served, access, policy};
use crate::support::program::until;

/// Sends a signal, and gives the code of an end that comes at once.
fn told(mut agent: Agent, signal: Signal) -> Option<i32> {
    let told = Instant::now();
    agent.signal(signal);
    let code = agent.wait().code();
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    code
}

#[test]
fn a_signal_ends_it_at_once_in_the_middle_of_a_wait_and_the_file_stays() {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let pod = Pod::new(&served.api());
        let agent = pod.ready();
        until("it waits for a change", || (served.waiting() == 1).then_some(()));
        assert_eq!(told(agent, signal), Some(0));
        assert!(pod.read(".env").is_some());
        until("the vault has noticed", || (served.waiting() == 0).then_some(()));
    }
    assert!(served.audited("revoke").is_empty(), "a token that ends by itself is not given back");
}

#[test]
fn a_signal_ends_it_at_once_while_nobody_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let pod = Pod::new(&format!("http://{}", silent.local_addr().unwrap()));
    let agent = pod.start();
    let _asked = silent.accept().unwrap();
    assert_eq!(told(agent, Signal::SIGTERM), Some(0));
}

#[test]
fn init_mode_that_is_ended_before_its_files_are_there_does_not_say_that_they_are() {
    let served = Served::start();
    let pod = Pod::new(&served.api()).with("VANTA_AGENT_MODE", "init");
    let agent = pod.start();
    agent.until_status("no SecretAccess gives");
    assert_eq!(told(agent, Signal::SIGTERM), Some(75));
}

#[test]
fn a_signal_that_comes_before_all_else_is_not_lost() {
    let pod = Pod::new("http://127.0.0.1:1");
    for _ in 0..20 {
        let agent = pod.start();
        agent.signal(Signal::SIGTERM);
        let mut agent = agent;
        // By the signal's own action where it came before the agent could take it.
        let status = agent.wait();
        assert!(matches!(status.code(), Some(0) | None), "{status}");
    }
}
