//! Points in time as Go reads and writes them, without ever leaving their own offset.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A date, a time and an offset, none of which is converted: what is read is what is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    /// East of UTC.
    offset_minutes: i32,
}

impl Time {
    /// RFC 3339 as Go's `time.Time.UnmarshalText` reads it.
    pub(super) fn from_rfc3339(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let time = reader.date_and_time(Digits::Fixed, 'T', Fraction::Dot)?;
        reader.zone(time)
    }

    /// A plain scalar of YAML in one of go-yaml's four forms (`resolve.go`, `parseTimestamp`).
    pub(super) fn from_yaml(text: &str) -> Option<Self> {
        let separated = |separator| {
            let mut reader = Reader { rest: text };
            let time = reader.date_and_time(Digits::Any, separator, Fraction::DotOrComma)?;
            Some((reader, time))
        };
        for separator in ['T', 't'] {
            if let Some((mut reader, time)) = separated(separator)
                && let Some(time) = reader.zone(time)
            {
                return Some(time);
            }
        }
        if let Some((reader, time)) = separated(' ')
            && reader.rest.is_empty()
        {
            return Some(time);
        }
        let mut reader = Reader { rest: text };
        let date = reader.date(Digits::Any)?;
        reader.rest.is_empty().then_some(date)
    }

    /// Go's `RFC3339Nano`: as it goes into the MAC.
    pub(super) fn with_fraction(&self) -> String {
        let mut fraction = String::new();
        if self.nanos != 0 {
            fraction = format!(".{:09}", self.nanos);
            fraction.truncate(fraction.trim_end_matches('0').len());
        }
        self.format(&fraction)
    }

    /// Go's `RFC3339`: as `sops exec-env` prints it, and as the MAC's additional data.
    pub(super) fn without_fraction(&self) -> String {
        self.format("")
    }

    /// The point in time, to the second; none where it is beyond what can be told (some hours of
    /// the year 9999).
    pub(super) fn to_timestamp(self) -> Option<Timestamp> {
        let Self { year, month, day, hour, minute, second, .. } = self;
        let year = i16::try_from(year).ok()?;
        let [month, day, hour, minute, second] =
            [month, day, hour, minute, second].map(|part| i8::try_from(part).ok());
        let civil = DateTime::new(year, month?, day?, hour?, minute?, second?, 0).ok()?;
        let offset = Offset::from_seconds(self.offset_minutes.checked_mul(60)?).ok()?;
        offset.to_timestamp(civil).ok()
    }

    fn format(&self, fraction: &str) -> String {
        let Self { year, month, day, hour, minute, second, .. } = self;
        let zone = match self.offset_minutes {
            0 => "Z".to_owned(),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    }

    fn is_possible(&self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return false,
        };
        (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second < 60
    }
}

#[derive(Clone, Copy)]
enum Digits {
    Fixed,
    Any,
}

#[derive(Clone, Copy)]
enum Fraction {
    Dot,
    DotOrComma,
}

/// The rest of a text that is being read.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn date_and_time(
        &mut self,
        digits: Digits,
        separator: char,
        fraction: Fraction,
    ) -> Option<Time> {
        let mut time = self.date(digits)?;
        self.take(separator)?;
        time.hour = self.number(digits)?;
        self.take(':')?;
        time.minute = self.number(digits)?;
        self.take(':')?;
        time.second = self.number(digits)?;
        let begins = match fraction {
            Fraction::Dot => self.rest.strip_prefix('.'),
            Fraction::DotOrComma => self.rest.strip_prefix(['.', ',']),
        };
        if let Some(rest) = begins {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            // Go reads nine digits of a second and drops the others.
            let nanos: String = rest[..end].chars().chain("000000000".chars()).take(9).collect();
            time.nanos = nanos.parse().ok()?;
            self.rest = &rest[end..];
        }
        time.is_possible().then_some(time)
    }

    fn date(&mut self, digits: Digits) -> Option<Time> {
        let year = self.digits(4)?;
        self.take('-')?;
        let month = self.number(digits)?;
        self.take('-')?;
        let day = self.number(digits)?;
        let time =
            Time { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0, offset_minutes: 0 };
        time.is_possible().then_some(time)
    }

    fn zone(&mut self, mut time: Time) -> Option<Time> {
        if self.rest == "Z" {
            return Some(time);
        }
        let negative = self.rest.starts_with('-');
        self.rest = self.rest.strip_prefix(['+', '-'])?;
        let hours = self.digits(2)?;
        self.take(':')?;
        let minutes = self.digits(2)?;
        if !self.rest.is_empty() || hours > 23 || minutes > 59 {
            return None;
        }
        let offset = i32::try_from(hours * 60 + minutes).ok()?;
        time.offset_minutes = if negative { -offset } else { offset };
        Some(time)
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn number(&mut self, digits: Digits) -> Option<u32> {
        let two = self.rest.bytes().take(2).filter(u8::is_ascii_digit).count() == 2;
        match digits {
            Digits::Any if !two => self.digits(1),
            Digits::Any | Digits::Fixed => self.digits(2),
        }
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let digits = self.rest.get(..count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = &self.rest[count..];
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_keeps_its_offset_and_loses_what_go_does_not_write() {
        for (read, written) in [
            ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
            ("2020-01-02T03:04:05+00:00", "2020-01-02T03:04:05Z"),
            ("2020-01-02T03:04:05.100Z", "2020-01-02T03:04:05.1Z"),
            ("2020-02-29T23:59:59.123456789123-05:30", "2020-02-29T23:59:59.123456789-05:30"),
        ] {
            assert_eq!(
                Time::from_rfc3339(read).map(|t| t.with_fraction()).as_deref(),
                Some(written)
            );
        }
        for bad in [
            "2021-02-29T00:00:00Z",
            "2020-01-02",
            "2020-1-2T03:04:05Z",
            "2020-01-02T24:00:00Z",
            "2020-01-02T03:04:05",
            "é020-01-02T03:04:05Z",
        ] {
            assert!(Time::from_rfc3339(bad).is_none(), "{bad} was accepted");
        }
    }

    #[test]
    fn what_has_been_read_is_a_point_in_time_to_the_second() {
        for (read, point) in [
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00Z")),
            ("0000-01-01T00:00:00+23:59", Some("-000001-12-31T00:01:00Z")),
            ("2020-02-29T23:59:59.999Z", Some("2020-02-29T23:59:59Z")),
            ("2020-01-01T00:00:00-05:30", Some("2020-01-01T05:30:00Z")),
            ("9999-12-30T22:00:00Z", Some("9999-12-30T22:00:00Z")),
            ("9999-12-30T22:00:01Z", None),
            ("9999-12-31T00:00:00+02:00", Some("9999-12-30T22:00:00Z")),
            ("9999-12-31T00:00:00Z", None),
            ("9999-12-31T23:59:59-23:59", None),
        ] {
            let time = Time::from_rfc3339(read).unwrap().to_timestamp();
            assert_eq!(time.map(|time| time.to_string()).as_deref(), point, "{read}");
        }
    }

    #[test]
    fn yaml_has_short_forms() {
        for (read, written) in [
            ("2020-1-2", "2020-01-02T00:00:00Z"),
            ("2020-01-02 3:4:5", "2020-01-02T03:04:05Z"),
            ("2020-01-02t03:04:05.5+02:00", "2020-01-02T03:04:05.5+02:00"),
        ] {
            assert_eq!(Time::from_yaml(read).map(|t| t.with_fraction()).as_deref(), Some(written));
        }
        for text in ["2020-1-2 ", "20-1-2", "2020-13-1", "2020-01-02 03:04:05 Z", "2020"] {
            assert!(Time::from_yaml(text).is_none(), "{text} was accepted");
        }
    }
}
