//! When certificates are made and replaced: the decisions, for a moment that is given.
//!
//! Invariant: nobody is served a certificate before the authority that signed it had
//! [`SPREAD_SECONDS`] to reach whoever checks it, but where there is no other choice: at the very
//! start, when the authority has expired, and when its Secret was deleted, which is how an
//! authority is revoked at once.

/// How long an authority lives, in seconds: five years.
pub const AUTHORITY_LIFE: i64 = 5 * 365 * DAY;

/// How long a serving certificate lives, in seconds: 90 days.
pub const SERVING_LIFE: i64 = 90 * DAY;

/// How long before now a certificate begins, in seconds, for clocks that are behind.
pub const BACKDATED: i64 = 10 * 60;

/// How long an authority is only trusted before it signs, in seconds. A mounted ConfigMap lags some
/// two minutes behind its object; a day is also enough for an outage.
pub const SPREAD_SECONDS: i64 = DAY;

const DAY: i64 = 24 * 60 * 60;

/// When a certificate is valid, in seconds since 1970, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub begin: i64,
    /// The last second.
    pub end: i64,
}

impl Validity {
    /// Of a certificate that is made now; it ends no later than what signs it.
    pub fn from_now(now: i64, life: i64, latest_end: Option<i64>) -> Self {
        let end = now + life;
        Self { begin: now - BACKDATED, end: latest_end.map_or(end, |latest| end.min(latest)) }
    }

    /// Whether its last second has passed.
    pub fn is_over(self, now: i64) -> bool {
        now > self.end
    }

    /// Whether two thirds of it have passed.
    pub fn is_due(self, now: i64) -> bool {
        now - self.begin >= (self.end - self.begin) / 3 * 2
    }

    fn has_spread(self, now: i64) -> bool {
        now - self.begin >= BACKDATED + SPREAD_SECONDS
    }
}

/// What becomes of the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityStep {
    /// It stays as it is.
    Keep,
    /// It is made, and signs at once.
    Create,
    /// Its successor is made, and only trusted.
    Prepare,
    /// Its successor signs from now on; it is trusted until it ends.
    Promote,
}

/// What to do about the authority that signs and the one that will.
pub fn authority_step(
    current: Option<Validity>,
    next: Option<Validity>,
    now: i64,
) -> AuthorityStep {
    let next = next.filter(|next| !next.is_over(now));
    match (current.filter(|current| !current.is_over(now)), next) {
        // Late is better than not trusted by those that have seen it.
        (None, Some(_)) => AuthorityStep::Promote,
        (None, None) => AuthorityStep::Create,
        (Some(_), Some(next)) if next.has_spread(now) => AuthorityStep::Promote,
        (Some(current), None) if current.is_due(now) => AuthorityStep::Prepare,
        (Some(_), _) => AuthorityStep::Keep,
    }
}

/// A serving certificate, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// When it is valid.
    pub validity: Validity,
    /// The DNS names that it is for.
    pub names: Vec<String>,
    /// Whether the private key beside it is its own.
    pub has_its_key: bool,
    /// Whether the authority that signs now has signed it.
    pub is_of_current: bool,
}

/// Why a serving certificate is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reissue {
    /// There is none, or none that can be read.
    Absent,
    /// It does not fit the private key.
    OtherKey,
    /// It lacks one of the names.
    OtherNames,
    /// Another authority signs now.
    OtherAuthority,
    /// Two thirds of its life have passed.
    Due,
}

impl Reissue {
    /// As the log says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "there was none",
            Self::OtherKey => "its key was another",
            Self::OtherNames => "it lacked a name",
            Self::OtherAuthority => "the authority is a new one",
            Self::Due => "two thirds of its life were over",
        }
    }
}

/// Whether a serving certificate for these names has to be made, and why.
pub fn reissue(served: Option<&Served>, names: &[String], now: i64) -> Option<Reissue> {
    let Some(served) = served else { return Some(Reissue::Absent) };
    if !served.has_its_key {
        Some(Reissue::OtherKey)
    } else if !names.iter().all(|name| served.names.contains(name)) {
        Some(Reissue::OtherNames)
    } else if !served.is_of_current {
        Some(Reissue::OtherAuthority)
    } else if served.validity.is_due(now) {
        Some(Reissue::Due)
    } else {
        None
    }
}

/// The DNS names of a service, from the shortest to the whole.
pub fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        service.to_owned(),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn authority(made: i64) -> Validity {
        Validity::from_now(made, AUTHORITY_LIFE, None)
    }

    fn served(made: i64) -> Served {
        Served {
            validity: Validity::from_now(made, SERVING_LIFE, None),
            names: service_names("vanta-vault", "vanta-system"),
            has_its_key: true,
            is_of_current: true,
        }
    }

    fn reissued(change: impl FnOnce(&mut Served), now: i64) -> Option<Reissue> {
        let mut served = served(NOW);
        change(&mut served);
        reissue(Some(&served), &service_names("vanta-vault", "vanta-system"), now)
    }

    #[test]
    fn an_authority_is_made_once_and_kept_until_two_thirds_of_its_life() {
        let current = Some(authority(NOW));
        assert_eq!(authority_step(None, None, NOW), AuthorityStep::Create);
        assert_eq!(authority_step(current, None, NOW), AuthorityStep::Keep);
        // Another's clock may be behind.
        assert_eq!(authority_step(current, None, NOW - 3600), AuthorityStep::Keep);
        let due = NOW + AUTHORITY_LIFE / 3 * 2;
        assert_eq!(authority_step(current, None, due - DAY), AuthorityStep::Keep);
        assert_eq!(authority_step(current, None, due), AuthorityStep::Prepare);
    }

    #[test]
    fn a_successor_is_trusted_for_a_day_before_it_signs() {
        let made = NOW + AUTHORITY_LIFE / 3 * 2;
        let (current, next) = (Some(authority(NOW)), Some(authority(made)));
        for (after, expected) in [
            (0, AuthorityStep::Keep),
            (SPREAD_SECONDS - 1, AuthorityStep::Keep),
            (SPREAD_SECONDS, AuthorityStep::Promote),
            (300 * DAY, AuthorityStep::Promote),
        ] {
            assert_eq!(authority_step(current, next, made + after), expected, "{after}");
        }
    }

    #[test]
    fn an_authority_that_is_over_is_replaced_at_once() {
        let long_after = NOW + AUTHORITY_LIFE + 1;
        let current = Some(authority(NOW));
        assert_eq!(authority_step(current, None, long_after - 1), AuthorityStep::Prepare);
        assert_eq!(authority_step(current, None, long_after), AuthorityStep::Create);
        let fresh = Some(authority(long_after));
        assert_eq!(authority_step(current, fresh, long_after), AuthorityStep::Promote);
        assert_eq!(authority_step(current, current, long_after), AuthorityStep::Create);
    }

    #[test]
    fn a_serving_certificate_is_made_where_there_is_none_that_serves() {
        assert_eq!(reissue(None, &[], NOW), Some(Reissue::Absent));
        assert_eq!(reissued(|_| {}, NOW), None);
        assert_eq!(reissued(|it| it.has_its_key = false, NOW), Some(Reissue::OtherKey));
        assert_eq!(reissued(|it| drop(it.names.pop()), NOW), Some(Reissue::OtherNames));
        assert_eq!(reissued(|it| it.is_of_current = false, NOW), Some(Reissue::OtherAuthority));
        assert_eq!(reissued(|it| it.names.push("more".to_owned()), NOW), None);
    }

    #[test]
    fn a_serving_certificate_is_replaced_at_two_thirds_of_its_life() {
        assert_eq!(reissued(|_| {}, NOW + 59 * DAY), None);
        assert_eq!(reissued(|_| {}, NOW + 60 * DAY), Some(Reissue::Due));
        assert_eq!(reissued(|_| {}, NOW + 500 * DAY), Some(Reissue::Due));
    }

    #[test]
    fn a_certificate_begins_early_and_ends_no_later_than_its_authority() {
        let whole = Validity::from_now(NOW, SERVING_LIFE, Some(NOW + AUTHORITY_LIFE));
        assert_eq!(whole, Validity { begin: NOW - BACKDATED, end: NOW + SERVING_LIFE });
        assert_eq!(Validity::from_now(NOW, SERVING_LIFE, Some(NOW + DAY)).end, NOW + DAY);
    }

    #[test]
    fn lives_are_what_the_documentation_says() {
        assert_eq!(AUTHORITY_LIFE, 157_680_000, "five years");
        assert_eq!(SERVING_LIFE, 7_776_000, "90 days");
        assert_eq!(SPREAD_SECONDS, 86_400, "a day");
        assert_eq!(BACKDATED, 600, "ten minutes");
    }

    #[test]
    fn a_service_is_called_by_each_name_that_dns_has_for_it() {
        let names = service_names("vanta-vault", "vanta-system");
        let said = "vanta-vault vanta-vault.vanta-system vanta-vault.vanta-system.svc \
                    vanta-vault.vanta-system.svc.cluster.local";
        assert_eq!(names.join(" "), said);
    }

    #[test]
    fn the_log_says_why_a_certificate_is_made() {
        for (reason, said) in [
            (Reissue::Absent, "there was none"),
            (Reissue::OtherKey, "its key was another"),
            (Reissue::OtherNames, "it lacked a name"),
            (Reissue::OtherAuthority, "the authority is a new one"),
            (Reissue::Due, "two thirds of its life were over"),
        ] {
            assert_eq!(reason.as_str(), said);
        }
    }
}
