//! Key patterns matched in the plainest way: the set of places in the key that are reached.

use std::collections::BTreeSet;

/// Whether the whole key matches a pattern of the grammar in `domain/pattern.rs`.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let (reached, _) = walk(pattern.as_bytes(), key.as_bytes(), BTreeSet::from([0]), b"");
    reached.contains(&key.len())
}

/// Goes through a pattern up to its end or one of the signs in `until`, from these places of the
/// key: the places that are reached, and what is left of the pattern.
fn walk<'a>(
    mut pattern: &'a [u8],
    key: &[u8],
    mut at: BTreeSet<usize>,
    until: &[u8],
) -> (BTreeSet<usize>, &'a [u8]) {
    while let Some((&sign, rest)) = pattern.split_first() {
        if until.contains(&sign) {
            break;
        }
        pattern = rest;
        at = match sign {
            b'*' => at.first().map_or_else(BTreeSet::new, |first| (*first..=key.len()).collect()),
            b'?' => step(&at, key, |_| true),
            b'[' => {
                let end = rest.iter().position(|it| *it == b']').expect("a class is closed");
                pattern = &rest[end + 1..];
                step(&at, key, |byte| in_class(&rest[..end], byte))
            }
            b'{' => {
                let mut all = BTreeSet::new();
                loop {
                    let (reached, left) = walk(pattern, key, at.clone(), b",}");
                    all.extend(reached);
                    pattern = &left[1..];
                    if left[0] == b'}' {
                        break;
                    }
                }
                all
            }
            literal => step(&at, key, |byte| byte == literal),
        };
    }
    (at, pattern)
}

fn step(at: &BTreeSet<usize>, key: &[u8], fits: impl Fn(u8) -> bool) -> BTreeSet<usize> {
    let next = at.iter().filter(|at| key.get(**at).is_some_and(|byte| fits(*byte)));
    next.map(|at| at + 1).collect()
}

/// Single characters and ranges, from the left; a `-` with nothing before or behind it is itself.
fn in_class(mut class: &[u8], byte: u8) -> bool {
    while let Some((&first, rest)) = class.split_first() {
        if let [b'-', last, rest @ ..] = rest {
            if (first..=*last).contains(&byte) {
                return true;
            }
            class = rest;
        } else {
            if first == byte {
                return true;
            }
            class = rest;
        }
    }
    false
}
