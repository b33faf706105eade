//! One environment's file in the place of another's: what a refusal says to run finishes nothing that
//! somebody began who has no key.

use vanta::adapters::sops::{Alarm, Authorship};

use super::environment_leaf;
use super::fixtures::unnamed;
use super::workshop::{Workshop, alarm, read, reason};

/// What a text has in backticks: what it says to run.
fn commands(said: &str) -> Vec<&str> {
    said.split('`').skip(1).step_by(2).collect()
}

/// The files of `dev` and `prod`, which name their environments, as they are committed and served.
fn both(workshop: &Workshop) -> (Vec<u8>, Vec<u8>) {
    let made = environment_leaf::both(workshop);
    workshop.shell("git init -q . && git add *.enc.yaml && git commit -qm good");
    made
}

/// What a refusal says to do about the change of a file that is committed: to look at it, and to
/// put the version before back.
fn put_back(workshop: &Workshop, said: &str, bad: &[u8]) -> Vec<u8> {
    let file = "dev.enc.yaml";
    workshop.mend(file, bad, "git commit -qam bad");
    let look =
        commands(said).into_iter().position(|command| command == "git log -p -- dev.enc.yaml");
    let back = commands(said).into_iter().position(|command| command.starts_with("git checkout"));
    assert!(look.is_some() && look < back, "{said}");
    let back = commands(said)[back.unwrap()];
    let before = "COMMIT=$(git log --format=%h -- FILE | sed -n 2p)";
    let seen = "git log -p -- FILE | grep -q '^-PASSWORD: ENC'";
    workshop.mend(file, bad, &format!("{seen}\n{before}\n{}", back.replace("COMMIT", "$COMMIT")))
}

#[test]
fn a_name_that_was_taken_out_is_told_as_that_and_is_put_back_from_git() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod) = both(&workshop);
    let (store, report) = workshop.open(Authorship::default());
    assert!(report.failed.is_empty(), "{report:?}");
    let prod = String::from_utf8(prod).unwrap();
    let leaf = prod.lines().find(|line| line.starts_with("_vanta_environment")).unwrap();
    // Without a key: the MAC is over the texts of all values, plain ones too.
    let forged = prod.replace(leaf, "x_unencrypted: prod");
    workshop.put("dev.enc.yaml", forged.as_bytes());
    store.refresh();
    let (kind, said) = alarm(&store, "dev").unwrap();
    assert_eq!(kind, Alarm::Environment);
    assert!(said.contains("the name was taken out"), "{said}");
    assert!(!said.contains("sops set"), "it would make dev's of prod's file: {said}");
    let restored = put_back(&workshop, &said, forged.as_bytes());
    assert_eq!(restored, dev);
    workshop.put("dev.enc.yaml", &restored);
    store.refresh();
    assert_eq!(alarm(&store, "dev"), None);
    // A vault that has just started cannot know, and asks to look.
    workshop.put("dev.enc.yaml", forged.as_bytes());
    let (store, _) = workshop.open(Authorship::default());
    let said = reason(&store, "dev").unwrap();
    let look = said.find("git log -p -- dev.enc.yaml").unwrap();
    assert!(look < said.find("sops set").unwrap(), "{said}");
}

#[test]
fn a_copy_of_another_environments_file_is_put_back_or_made_a_file_of_its_own() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod) = both(&workshop);
    let (store, _) = workshop.open(Authorship::default());
    workshop.put("dev.enc.yaml", &prod);
    store.refresh();
    let said = reason(&store, "dev").unwrap();
    assert_eq!(put_back(&workshop, &said, &prod), dev);
    // Where that is meant, the name alone would leave it with the data key of prod. What dev was
    // before is of the same second as what is made here, so it is not remembered.
    let (store, _) = workshop.open(Authorship::default());
    let [.., rotate, set] = commands(&said)[..] else { panic!("{said}") };
    workshop.put("dev.enc.yaml", &workshop.mend("dev.enc.yaml", &prod, set));
    store.refresh();
    let shared = reason(&store, "dev").unwrap();
    assert!(shared.starts_with("its data key is also that of prod"), "{shared}");
    let own = workshop.mend("dev.enc.yaml", &prod, &format!("{rotate}\n{set}"));
    workshop.put("dev.enc.yaml", &own);
    store.refresh();
    assert_eq!(alarm(&store, "dev"), None);
    assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-prod");
}

#[test]
fn a_name_of_another_environment_is_told_also_where_a_list_was_put_around_it() {
    let Some(workshop) = Workshop::new() else { return };
    let (_, prod) = both(&workshop);
    let (store, _) = workshop.open(unnamed());
    let prod = String::from_utf8(prod).unwrap();
    let listed = prod.replace("_vanta_environment: ", "_vanta_environment:\n    - ");
    workshop.put("dev.enc.yaml", listed.as_bytes());
    store.refresh();
    let said = reason(&store, "dev").unwrap();
    assert!(said.starts_with("the file says that it is of environment prod"), "{said}");
}
