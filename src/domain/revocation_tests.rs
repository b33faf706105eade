//! What revocations say of tokens and subjects, in whatever order they come.

use super::*;

const DAY: i64 = 24 * 60 * 60;

struct Token {
    id: TokenId,
    subject: Subject,
    at: i64,
}

impl Token {
    fn of(subject: &str, at: i64) -> Self {
        Self { id: TokenId::from_random([1; 16]), subject: subject.parse().unwrap(), at }
    }

    fn is_revoked(&self, revocations: &Revocations) -> bool {
        revocations.concern(IssuedToken { id: &self.id, subject: &self.subject, at: self.at })
    }
}

fn of_subject(not_before: i64, blocked: bool) -> Revocation {
    Revocation::Subject { subject: "client:ci".parse().unwrap(), not_before, blocked }
}

fn with(revocations: impl IntoIterator<Item = Revocation>) -> Revocations {
    let mut all = Revocations::default();
    revocations.into_iter().for_each(|revocation| all.add(revocation));
    all
}

#[test]
fn a_token_is_revoked_by_its_identifier_alone() {
    let token = Token::of("client:ci", 100);
    let other = TokenId::from_random([7; 16]);
    assert!(token.is_revoked(&with([Revocation::of_unseen_token(token.id.clone(), 0)])));
    assert!(!token.is_revoked(&with([Revocation::of_unseen_token(other, 0)])));
    let longest = i64::from(MAX_TTL_MINUTES) * 60;
    let revocation = Revocation::of_unseen_token(token.id.clone(), 7);
    assert!(
        matches!(revocation, Revocation::Token { expires_at, .. } if expires_at == 7 + longest)
    );
}

#[test]
fn a_subjects_tokens_up_to_the_moment_are_revoked_and_later_ones_are_not() {
    let revoked = with([of_subject(100, false)]);
    assert!(Token::of("client:ci", 99).is_revoked(&revoked));
    assert!(Token::of("client:ci", 100).is_revoked(&revoked));
    assert!(!Token::of("client:ci", 101).is_revoked(&revoked));
    assert!(!Token::of("client:cd", 99).is_revoked(&revoked));
    assert!(!revoked.standing(&"client:ci".parse().unwrap()).blocked);
}

#[test]
fn no_token_of_a_blocked_subject_is_good_whenever_it_was_issued() {
    let revoked = with([of_subject(100, true)]);
    for at in [0, 100, 101, i64::MAX] {
        assert!(Token::of("client:ci", at).is_revoked(&revoked), "{at}");
    }
    assert!(!Token::of("client:cd", 101).is_revoked(&revoked));
}

#[test]
fn a_subjects_revocation_reaches_what_slow_replicas_and_fast_clocks_issue_meanwhile() {
    let revoked = with([Revocation::of_subject("client:ci".parse().unwrap(), 100, false)]);
    assert!(Token::of("client:ci", 100 + 10 + 2).is_revoked(&revoked));
    let next = revoked.standing(&"client:ci".parse().unwrap()).issued_at(100);
    assert!(!Token::of("client:ci", next).is_revoked(&revoked));
    assert!(
        next + 10 <= 100 + 30,
        "a replica whose clock is behind takes it for one of the future"
    );
}

#[test]
fn the_later_revocation_of_a_subject_holds_in_whatever_order_they_come() {
    let (first, second) = (of_subject(100, true), of_subject(200, false));
    let subject = "client:ci".parse().unwrap();
    for order in [[first.clone(), second.clone()], [second, first]] {
        let revoked = with(order);
        assert!(!revoked.standing(&subject).blocked);
        assert!(Token::of("client:ci", 150).is_revoked(&revoked));
    }
    let same_moment = with([of_subject(100, false), of_subject(100, true)]);
    assert!(same_moment.standing(&subject).blocked, "of the same moment, the stricter holds");
}

#[test]
fn what_has_ended_is_forgotten_and_what_may_still_be_shown_is_not() {
    let id = TokenId::from_random([7; 16]);
    let token = Revocation::Token { id, expires_at: 1000 };
    let mut all = with([token.clone(), of_subject(1000, false)]);
    all.forget_ended(1060);
    assert_eq!(all, with([token, of_subject(1000, false)]));
    all.forget_ended(1061);
    assert_eq!(all, with([of_subject(1000, false)]));
    all.forget_ended(1000 + DAY + 60);
    assert_eq!(all, with([of_subject(1000, false)]));
    all.forget_ended(1000 + DAY + 61);
    assert_eq!(all, Revocations::default());
}

#[test]
fn a_token_that_is_issued_after_a_revocation_is_later_than_what_is_revoked() {
    let standing = with([of_subject(100, false)]).standing(&"client:ci".parse().unwrap());
    for now in [90, 99, 100, 101, 102] {
        let issued_at = standing.issued_at(now);
        assert_eq!(issued_at, now.max(101));
        assert!(!Token::of("client:ci", issued_at).is_revoked(&with([of_subject(100, false)])));
    }
    assert_eq!(SubjectStanding::default().issued_at(5), 5);
}

#[test]
fn a_block_is_never_forgotten() {
    let mut all = with([of_subject(0, true)]);
    all.forget_ended(i64::MAX);
    assert!(all.standing(&"client:ci".parse().unwrap()).blocked);
}
