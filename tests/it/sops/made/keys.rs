//! Master keys for generated files: each kind of age's, several at once, and key groups.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use vanta::adapters::sops::Identities;

use super::random::Random;

/// The recipients of the two fixtures' identities.
pub(crate) const OURS: &str = "age19gpefxdz8y8spxjz2tnu04nag34hqg577xa574eql4xwu0vkpyysr2kv2k";
pub(crate) const SECOND: &str = "age1hyw9gynnh0ayz0hjc2va7zzweh0t5xa0ymdtyylmkyqu0hzg4ghqv7hgya";
/// No identity here is this one's.
const FOREIGN: &str = "age1aqxg8feykyv73djsvsukls2aue55k452zz9upggymea5lxsvqphsgqphhm";
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICN842uwWTOM7YeWBys6Uocz1+HtDSWKeaJtiZnJfZHI";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDTRvEYhWOgAIguohlwvdvBUx3LsMG+n5jpnc3Ot3GF3DJ310LD/Lxuxk2h3P9mJT6loxYr24UrvA8iyC57NJwP3YrQnaC4TXHGDFyUEf1hk7Wy6uOkpnT8MNkDP1Rd8cZFNtHTVV+Xzd5HRYl0PaiBiV/pFuJSbRERA39NZIkhbyvfhgyAEYnBrTW6AeqE8M7oDWgy8ltpneEPo03YYfFx4KCdvjJOG2NgUz7QPvGaLe5MNlUciEcZh9JKN9fftQA04eE/ED3+nF8MNs5/AhxTws9l1R0O3/R1ZkSXPoKl4yV3i8iMUQ5nSIEwnBwrss7P6Gk74uwhzFNt3WjdF7KL";

/// The kinds of keys: groups, each with its recipients, and how many groups are needed.
const KINDS: [(&[&[&str]], usize); 8] = [
    (&[&[OURS]], 0),
    (&[&[FOREIGN, SECOND]], 0),
    (&[&[ED25519]], 0),
    (&[&[RSA]], 0),
    (&[&[FOREIGN, RSA, OURS, ED25519]], 0),
    (&[&[OURS], &[SECOND]], 2),
    (&[&[FOREIGN], &[ED25519, FOREIGN], &[SECOND]], 2),
    (&[&[RSA], &[FOREIGN, OURS], &[SECOND]], 3),
];

/// The private keys of all kinds, in files as sops takes them.
pub(crate) struct Keys {
    folder: PathBuf,
    pub(crate) identities: Identities,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops").join(name)
}

impl Keys {
    /// Lays them down in a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let read = |name| fs::read_to_string(fixture(name)).expect("the fixture is there");
        let age = format!("{}\n{}", read("age-key.txt"), read("other-age-key.txt"));
        fs::write(folder.join("age.txt"), &age).expect("the folder can be written");
        let all = [age, read("throwaway-ssh-ed25519"), read("throwaway-ssh-rsa")].join("\n");
        let identities = Identities::parse(&all).expect("the fixtures' keys are valid");
        Self { folder: folder.to_owned(), identities }
    }

    /// The age identities.
    pub(crate) fn age(&self) -> PathBuf {
        self.folder.join("age.txt")
    }

    /// The one SSH key that sops takes besides: whichever a kind needs.
    pub(crate) fn ssh(kind: usize) -> PathBuf {
        let rsa = KINDS[kind % KINDS.len()].0.iter().any(|group| group[0] == RSA);
        fixture(if rsa { "throwaway-ssh-rsa" } else { "throwaway-ssh-ed25519" })
    }
}

/// The part of a `.sops.yaml` that names the recipients.
pub(super) fn recipients(kind: usize, random: &mut Random) -> String {
    let (groups, threshold) = KINDS[kind % KINDS.len()];
    let list = |group: &[&str]| {
        let quoted: Vec<String> = group.iter().map(|key| format!("\"{key}\"")).collect();
        format!("age: [{}]", quoted.join(", "))
    };
    if let [only] = groups
        && random.one_in(2)
    {
        return format!("    age: \"{}\"\n", only.join(","));
    }
    let mut text = "    key_groups:\n".to_owned();
    for group in groups {
        let _ = writeln!(text, "      - {}", list(group));
    }
    if threshold > 0 {
        let _ = writeln!(text, "    shamir_threshold: {threshold}");
    }
    text
}
