//! The start: what a pod waits for, how it says so, and how init mode ends.

use std::time::{Duration, Instant};

use super::pod::{Agent, Pod, identity_token, until_file};
use super::served::{Served, access, policy};

fn granted() -> Served {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    served
}

/// An agent in init mode, at its end: its code and its last words.
fn ended(mut agent: Agent) -> (Option<i32>, String) {
    let code = agent.wait().code();
    (code, agent.status())
}

#[test]
fn a_pod_waits_for_the_grant_that_it_names_and_starts_by_itself_when_that_is_applied() {
    let served = Served::start();
    let pod = Pod::new(&served.api()).with("VANTA_ACCESS", "checkout");
    let mut agent = pod.start();
    let missing = "waiting: there is no SecretAccess checkout for \
                   system:serviceaccount:shop:checkout; apply one in namespace shop, and a \
                   SecretPolicy around it\n";
    agent.until_status(missing);
    assert_eq!(pod.probe(), (Some(1), missing.to_owned()));
    assert_eq!(agent.logged("there is no SecretAccess checkout").len(), 1, "it is said once");

    served.grant(&[access("checkout", "APP_*", "")]);
    agent.until_status("waiting: SecretAccess checkout: no SecretPolicy");
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    let applied = Instant::now();
    agent.until_status("ready\n");
    assert!(applied.elapsed() < Duration::from_secs(12), "{:?}", applied.elapsed());
    assert!(pod.read(".env").unwrap().contains("APP_DB_USER='app'"));
    assert_eq!(pod.probe(), (Some(0), "ready\n".to_owned()));
    assert!(agent.is_running());
}

#[test]
fn a_pod_that_names_nothing_waits_for_anything() {
    let served = Served::start();
    let pod = Pod::new(&served.api());
    let agent = pod.start();
    agent.until_status(
        "waiting: no SecretAccess gives system:serviceaccount:shop:checkout anything yet; apply one in its namespace, and a SecretPolicy around it\n",
    );
    served.grant(&[access("a", "APP_*", "")]);
    agent.until_status("SecretAccess a: no SecretPolicy");
    served.grant(&[access("a", "APP_*", ""), policy()]);
    agent.until_status("ready\n");
}

#[test]
fn all_that_is_named_has_to_be_there_and_nothing_else_is_taken() {
    let served = Served::start();
    let pod = Pod::new(&served.api()).with("VANTA_ACCESS", "checkout,smtp");
    let checkout = || access("checkout", "APP_DB_USER", "");
    let other = || access("other", "GREETING", "");
    served.grant(&[checkout(), other(), policy()]);
    let agent = pod.start();
    agent.until_status("there is no SecretAccess smtp");
    served.grant(&[checkout(), other(), access("smtp", "smtp.host", ""), policy()]);
    agent.until_status("ready\n");
    assert_eq!(pod.read(".env").unwrap(), "APP_DB_USER='app'\nsmtp_host='smtp.example.com'\n");
}

#[test]
fn a_grant_that_cannot_fill_a_file_is_missing_when_named_and_left_out_otherwise() {
    let served = Served::start();
    let objects = [
        access("reads", "APP_*", "permissions: [read]"),
        access("empty", "NOTHING_*", "file: {path: empty}"),
        access("checkout", "APP_*", ""),
        policy(),
    ];
    served.grant(&objects);
    let pod = Pod::new(&served.api());
    let agent = pod.ready();
    assert_eq!(pod.tree(), [".env 600"]);
    drop(agent);
    let pod = Pod::new(&served.api()).with("VANTA_ACCESS", "reads,empty");
    let agent = pod.start();
    agent.until_status(
        "SecretAccess reads: it does not allow list, and a file takes both read and list",
    );
    agent.until_status(
        "SecretAccess empty: no key of environment dev that a SecretPolicy allows matches \
         NOTHING_*",
    );
    assert!(pod.tree().is_empty());
}

#[test]
fn an_environment_that_does_not_exist_is_named() {
    let served = Served::start();
    let elsewhere = |object: String| object.replace("environment: dev", "environment: nowhere");
    served.grant(&[elsewhere(access("checkout", "*", "")), elsewhere(policy())]);
    let pod = Pod::new(&served.api()).with("VANTA_ACCESS", "checkout");
    pod.start().until_status("environment nowhere does not exist");
}

#[test]
fn a_vault_that_is_away_is_waited_for_without_limit() {
    let mut served = granted();
    served.away();
    // The budget is init mode's alone; tests of hostile vaults outlast it.
    let pod = Pod::new(&served.api()).with("VANTA_START_UP_BUDGET", "1");
    let mut agent = pod.start();
    let status = agent.until_status("cannot answer now");
    assert!(status.starts_with("waiting: the vault at http://127.0.0.1:"), "{status}");
    assert!(agent.is_running());
    served.back();
    agent.until_status("ready\n");
    until_file(&pod, ".env", "APP_DB_USER");
}

#[test]
fn an_identity_that_is_missing_or_refused_is_waited_for() {
    let served = granted();
    let pod = Pod::new(&served.api()).with("VANTA_IDENTITY_TOKEN_FILE", "/nowhere/token");
    pod.start().until_status("the identity token cannot be read from /nowhere/token");
    let pod = Pod::new(&served.api());
    pod.write("token", "two words");
    let agent = pod.start();
    agent.until_status("cannot be used: it is not one word");
    pod.write("token", "somebody.elses.token");
    agent.until_status("the vault refuses: ");
    pod.write("token", &identity_token("checkout"));
    agent.until_status("ready\n");
}

#[test]
fn init_mode_writes_the_files_once_and_ends_with_0() {
    let served = granted();
    let pod = Pod::new(&served.api()).with("VANTA_AGENT_MODE", "init");
    assert_eq!(ended(pod.start()), (Some(0), "ready\n".to_owned()));
    assert!(pod.read(".env").unwrap().contains("APP_DB_USER='app'"));
    assert_eq!(pod.tree(), [".env 600"]);
}

#[test]
fn init_mode_gives_up_after_its_budget_with_a_code_that_says_whether_waiting_helps() {
    let mut served = Served::start();
    let init = |served: &Served| {
        Pod::new(&served.api()).with("VANTA_AGENT_MODE", "init").with("VANTA_START_UP_BUDGET", "1")
    };
    let pod = init(&served).with("VANTA_ACCESS", "checkout");
    let (code, last_words) = ended(pod.start());
    assert_eq!(code, Some(77));
    assert!(last_words.starts_with("gave up after 1 seconds\n"), "{last_words}");
    assert!(last_words.contains("there is no SecretAccess checkout"), "{last_words}");
    assert_eq!(pod.probe().0, Some(1));

    served.grant(&[access("a", "APP_*", ""), access("b", "APP_*", ""), policy()]);
    let pod = init(&served);
    let (code, last_words) = ended(pod.start());
    assert_eq!(code, Some(78), "{last_words}");

    served.away();
    let pod = init(&served);
    let (code, last_words) = ended(pod.start());
    assert_eq!(code, Some(75), "{last_words}");
    assert!(last_words.contains("cannot answer now"), "{last_words}");
}

#[test]
fn a_variable_that_cannot_be_used_ends_it_at_once_with_78_and_its_name() {
    for (variable, bad) in [
        ("VANTA_ADDR", "http://vault.example"),
        ("VANTA_ACCESS", "Checkout"),
        ("VANTA_AGENT_MODE", "both"),
        ("VANTA_ON_REVOKE", "ask"),
        ("VANTA_FILE_MODE", "0644"),
        ("VANTA_START_UP_BUDGET", "soon"),
        ("VANTA_SECRETS_PATH", "/nowhere/at/all"),
    ] {
        let (code, last_words) = ended(Pod::new("http://127.0.0.1:1").with(variable, bad).start());
        assert_eq!(code, Some(78), "{variable}");
        let named = variable == "VANTA_SECRETS_PATH" || last_words.contains(variable);
        assert!(named, "{last_words}");
    }
}
