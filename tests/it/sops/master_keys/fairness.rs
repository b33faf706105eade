//! What is slow, silent or greedy holds back its own, and people are told of it.

use std::fmt::Write as _;
use std::time::Duration;

use vanta::adapters::key_service::Deadlines;
use vanta::adapters::sops::{ConfigMapFiles, ConfigMapKey};

use super::fake::{Call, FakeService, Says};
use super::{IMPATIENT, Scenario, Service, data_key, wrapped};
use crate::sops::fixtures::text;
use crate::support::opens::Opens;
use crate::support::program::until;

const GOOD: &str = "arn:aws:kms:eu-west-1:111122223333:key/good";
const BAD: &str = "arn:aws:kms:us-east-1:111122223333:key/bad";

/// A file with groups of one key each, which wrap different data keys.
fn groups(count: usize, arn: &str) -> String {
    let mut groups = "    key_groups:\n".to_owned();
    for at in 0..count {
        let _ = write!(
            groups,
            "        - kms:\n            - arn: {arn}\n              created_at: \"\"\n              enc: BAD{at}\n"
        );
    }
    wrapped("app.enc.yaml", &groups)
}

/// A file with one key.
fn one(arn: &str) -> String {
    let keys =
        format!("    kms:\n        - arn: {arn}\n          created_at: \"\"\n          enc: ONE\n");
    wrapped("app.enc.yaml", &keys)
}

fn holds(call: &Call, text: &str) -> bool {
    call.body.windows(text.len()).any(|part| part == text.as_bytes())
}

/// How many calls there were before the first that holds a text.
fn before(fake: &FakeService, text: &str) -> usize {
    let calls = fake.calls();
    calls.iter().position(|call| holds(call, text)).expect("it was asked for")
}

#[test]
fn a_service_that_is_slow_or_silent_holds_back_its_own_alone() {
    let fake = FakeService::new(Says::NothingOf("BAD", data_key("app.enc.yaml")));
    let program = fake.program();
    let allowed = format!("kms:{BAD} kms:{GOOD}");
    let service = Service::new(&allowed, &program, &[]);
    // Longer than anybody waits here.
    let deadlines = Deadlines { answer: Duration::from_mins(5), ..Deadlines::default() };
    let (scenario, _) = Scenario::with(&[], &Service { deadlines, ..service });
    scenario.write("a", &groups(16, BAD));
    scenario.store.refresh();
    until("the bad one is asked for", || fake.calls().pop());
    scenario.write("z", &one(GOOD));
    assert_eq!(scenario.soon("z", "word"), "hunter2");
}

#[test]
fn a_file_with_many_keys_of_a_service_holds_back_the_others_of_it_by_one_call() {
    let late = Says::LateOf("BAD", Duration::from_millis(200), data_key("app.enc.yaml"));
    let fake = FakeService::new(late);
    let program = fake.program();
    let allowed = format!("kms:{GOOD}");
    let service = Service::new(&allowed, &program, &[]);
    let files = [("a", groups(16, GOOD)), ("z", one(GOOD))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let (scenario, _) = Scenario::with(&files, &service);
    assert_eq!(scenario.soon("z", "word"), "hunter2");
    let before = before(&fake, "ONE");
    assert!(before <= 2, "{before} calls were waited for");
}

#[test]
fn a_config_map_with_many_environments_holds_back_another_by_one_call() {
    // For longer than a look at all files takes.
    let late = Says::LateOf("BAD", Duration::from_secs(1), data_key("app.enc.yaml"));
    let fake = FakeService::new(late);
    let program = fake.program();
    let allowed = format!("kms:{GOOD}");
    let (scenario, _) = Scenario::with(&[], &Service::new(&allowed, &program, &[]));
    let mut files = ConfigMapFiles::new();
    let mut add = |config_map: &str, environment: &str, text: &str| {
        let key = format!("{environment}.enc.yaml");
        let name = ConfigMapKey { config_map: config_map.to_owned(), key };
        files.insert(name, text.as_bytes().into());
    };
    for at in 0..100 {
        let file = one(GOOD).replace("enc: ONE", &format!("enc: BAD{at}"));
        add("evil", &format!("a{at}"), &file);
    }
    add("other", "z", &one(GOOD));
    scenario.store.take(files);
    assert_eq!(scenario.soon("z", "word"), "hunter2");
    let before = before(&fake, "ONE");
    // One is on its way before the others are known of, and one is served in turn.
    assert!(before <= 2, "{before} calls were waited for");
}

#[test]
fn the_versions_of_a_key_whose_service_is_silent_are_waited_for_once() {
    const VAULT: &str = "https://v.vault.azure.net";
    let fake = FakeService::new(Says::NothingOf(VAULT, data_key("app.enc.yaml")));
    let program = fake.program();
    let allowed = format!("azure_kv:{VAULT}/keys/k");
    let service = Service { deadlines: IMPATIENT, ..Service::new(&allowed, &program, &[]) };
    // In groups of their own, so that all are asked for at once.
    let groups = (0..9).fold("    key_groups:\n".to_owned(), |groups, at| {
        groups
            + &format!(
                "        - azure_kv:\n            - vault_url: {VAULT}\n              name: k\n              \
                 version: v{at}\n              created_at: \"\"\n              enc: q_w\n"
            )
    });
    let file = wrapped("app.enc.yaml", &groups);
    let (scenario, _) = Scenario::with(&[("a", &file)], &service);
    let error = scenario.failed("a");
    assert!(error.contains("did not answer in time"), "{error}");
    let calls = fake.calls().len();
    assert!(calls <= 2, "{calls} of 9 were waited for");
}

#[test]
fn one_environment_for_which_nothing_is_answered_leaves_the_others_their_answers() {
    // It is the data key that cannot be opened, a bomb say, and the service is well.
    let fake = FakeService::new(Says::NothingOf("BAD", data_key("app.enc.yaml")));
    let program = fake.program();
    let allowed = format!("kms:{GOOD}");
    let service = Service { deadlines: IMPATIENT, ..Service::new(&allowed, &program, &[]) };
    let files = [("a", groups(16, GOOD)), ("z", one(GOOD))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let (scenario, _) = Scenario::with(&files, &service);
    until("z has an answer", || {
        scenario.store.refresh();
        let error = scenario.error("z");
        assert!(!error.is_some_and(|error| error.contains("in time")), "it was given a rest too");
        scenario.read("z", "word")
    });
}

#[test]
fn a_file_whose_data_key_is_long_in_coming_is_an_alarm_until_it_opens() {
    let fake = FakeService::new(Says::Nothing);
    let program = fake.program();
    let allowed = format!("kms:{GOOD}");
    let second = Duration::from_secs(1);
    let deadlines = Deadlines { file: second, answer: 4 * second, ..Deadlines::default() };
    let service = Service { deadlines, ..Service::new(&allowed, &program, &[]) };
    let (scenario, _) = Scenario::with(&[("prod", &text("app.enc.yaml"))], &service);
    scenario.write("prod", &one(GOOD));
    let failed = until("it is told", || {
        let mut failed = scenario.store.refresh().failed;
        assert_eq!(scenario.read("prod", "word").as_deref(), Some("hunter2"));
        failed.pop()
    });
    insta::assert_snapshot!(failed.reason, @"sops has been asked for the data key for more than 1 s: look at whether it reaches the services of the file's keys, and how many keys the file lists; the file is opened once the data key is there");
    assert!(failed.serves_earlier);
    // Once, and for as long as it lasts.
    assert_eq!(scenario.store.refresh().failed, []);
    assert_eq!(scenario.error("prod"), Some(failed.reason));
    fake.now_says(Says::Plaintext(data_key("app.enc.yaml")));
    until("it has opened", || {
        scenario.store.refresh();
        scenario.error("prod").is_none().then_some(())
    });
    assert_eq!(scenario.store.status()[0].alarm, None);
}

#[test]
fn a_file_is_not_opened_again_before_there_is_an_answer() {
    let fake = FakeService::new(Says::Nothing);
    let program = fake.program();
    let allowed = format!("kms:{GOOD}");
    let (scenario, _) =
        Scenario::with(&[("prod", &text("app.enc.yaml"))], &Service::new(&allowed, &program, &[]));
    scenario.write("prod", &one(GOOD));
    let opens = Opens::of(&scenario.folder.path().join("files"));
    scenario.store.refresh();
    until("it is asked for", || fake.calls().pop());
    for _ in 0..10 {
        scenario.store.refresh();
    }
    assert_eq!(opens.count(), 1);
}
