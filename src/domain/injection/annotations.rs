//! The annotations that a pod's author may write.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::Value;

use super::refusal::Refusal;
use crate::domain::names::{InvalidName, Label, ObjectName, Shown};
use crate::domain::pod::{AgentMode, LONGEST_START_UP, OnRevoke};

/// How the name of each annotation begins.
pub const PREFIX: &str = "vanta.dev/";

const INJECT: &str = "inject";
const ACCESS: &str = "access";
const CONTAINERS: &str = "containers";
const MODE: &str = "mode";
const START_UP_BUDGET: &str = "start-up-budget";
const ON_REVOKE: &str = "on-revoke";

/// All of them, without their prefix.
const KNOWN: [&str; 6] = [INJECT, ACCESS, CONTAINERS, MODE, START_UP_BUDGET, ON_REVOKE];

/// The most bytes of all of a pod's, names and values together. The API server's own limit is
/// checked only after the webhooks have been asked.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// The most names in one annotation.
const MOST_NAMES: usize = 64;

/// The most warnings of unknown annotations for one pod.
const MOST_UNKNOWN: usize = 8;

/// The annotations of a pod with the prefix, as they are written.
pub(super) struct Annotations<'a>(Vec<(&'a str, &'a str)>);

/// What they mean for a pod that asks.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Choices {
    /// None for all that the service account may have.
    pub(super) access: Option<Vec<ObjectName>>,
    /// None for all of the pod's.
    pub(super) containers: Option<Vec<Label>>,
    pub(super) mode: AgentMode,
    /// In seconds; none for the agent's own.
    pub(super) start_up_budget: Option<u32>,
    pub(super) on_revoke: OnRevoke,
}

impl<'a> Annotations<'a> {
    pub(super) fn of(pod: &'a Value) -> Result<Self, Refusal> {
        let all = match pod.pointer("/metadata/annotations") {
            None | Some(Value::Null) => return Ok(Self(Vec::new())),
            Some(Value::Object(all)) => all,
            Some(_) => return Err(Refusal::malformed("metadata.annotations", "an object")),
        };
        let mut left = MOST_BYTES;
        let mut own = Vec::new();
        for (name, value) in all {
            let Some(name) = name.strip_prefix(PREFIX) else { continue };
            let Value::String(text) = value else {
                return Err(Refusal::malformed(shown(name), "text, in quotation marks"));
            };
            left = left
                .checked_sub(name.len().saturating_add(text.len()))
                .ok_or(Refusal::AnnotationsTooLarge)?;
            own.push((name, text.as_str()));
        }
        Ok(Self(own))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// Whether the pod asks for an agent. A value that only resembles an answer is refused, since
    /// whoever wrote it relies on what it means.
    pub(super) fn asks(&self) -> Result<bool, Refusal> {
        match self.value(INJECT) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::Inject(InvalidName::new(
                "annotation vanta.dev/inject",
                other,
                "use \"true\" for an agent and \"false\" for none, in lower case",
            ))),
        }
    }

    /// What has no effect, and what was probably meant.
    pub(super) fn warnings(&self) -> Vec<String> {
        let unknown = self.0.iter().filter(|(name, _)| !KNOWN.contains(name));
        let mut warnings: Vec<String> =
            unknown.take(MOST_UNKNOWN).map(|(name, _)| unknown_warning(name)).collect();
        match (self.value(INJECT), self.value(MODE)) {
            (None, _) => {
                let known = self.0.iter().filter(|(name, _)| KNOWN.contains(name));
                warnings.extend(known.map(|(name, _)| {
                    format!("{PREFIX}{name} has no effect without {PREFIX}{INJECT}: \"true\"")
                }));
            }
            (Some("true"), Some("init")) if self.value(ON_REVOKE).is_some() => {
                warnings.push(format!(
                    "{PREFIX}{ON_REVOKE} has no effect with {PREFIX}{MODE}: init, whose files stay as they were at the start"
                ));
            }
            (Some("true"), None | Some("sidecar")) if self.value(START_UP_BUDGET).is_some() => {
                warnings.push(format!(
                    "{PREFIX}{START_UP_BUDGET} has no effect without {PREFIX}{MODE}: init: a sidecar waits without limit, and says in the pod's events for what"
                ));
            }
            _ => {}
        }
        warnings
    }

    pub(super) fn choices(&self) -> Result<Choices, Refusal> {
        Ok(Choices {
            access: self.read(ACCESS, names)?,
            containers: self.read(CONTAINERS, names)?,
            mode: self.read(MODE, word)?.unwrap_or_default(),
            start_up_budget: self.read(START_UP_BUDGET, seconds)?,
            on_revoke: self.read(ON_REVOKE, word)?.unwrap_or_default(),
        })
    }

    fn read<T>(
        &self,
        name: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Refusal> {
        let refuse = |reason| Refusal::Annotation { name: format!("{PREFIX}{name}"), reason };
        self.value(name).map(parse).transpose().map_err(refuse)
    }
}

fn word<T: FromStr<Err = InvalidName>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: InvalidName| error.to_string())
}

/// Names with commas between them, each once.
fn names<T: FromStr<Err = InvalidName> + Ord + Clone>(text: &str) -> Result<Vec<T>, String> {
    if text.trim().is_empty() {
        return Err("it names nothing: write names with commas between them, or remove it".into());
    }
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    for name in text.split(',') {
        let name: T = word(name.trim())?;
        if seen.insert(name.clone()) {
            names.push(name);
        }
        if names.len() > MOST_NAMES {
            return Err(format!("it names more than {MOST_NAMES}: write fewer, or remove it"));
        }
    }
    Ok(names)
}

/// A time as Go writes it, in hours, minutes and seconds, or a number of seconds.
fn seconds(text: &str) -> Result<u32, String> {
    let refuse = |rule| Err(InvalidName::new("time", text, rule).to_string());
    let Some(total) = total_seconds(text) else {
        return refuse("use hours, minutes and seconds, such as 90s, 2m or 1h30m");
    };
    if total == 0 || total > LONGEST_START_UP {
        return refuse("use at least 1s and at most 24h");
    }
    Ok(total)
}

fn total_seconds(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (mut rest, mut total) = (text, 0_u32);
    for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u32 = digits.then(|| number.parse().ok()).flatten()?;
            total = total.checked_add(number.checked_mul(length)?)?;
            rest = after;
        }
    }
    rest.is_empty().then_some(total)
}

fn unknown_warning(name: &str) -> String {
    let mut warning = format!("{} is not known and has no effect: ", shown(name));
    let written = match nearest(name) {
        Some(known) => write!(warning, "did you mean {PREFIX}{known}?"),
        None => write!(warning, "{PREFIX} has {}", KNOWN.join(", ")),
    };
    written.expect("writing to a string does not fail");
    warning
}

/// The known name that this is a misspelling of.
fn nearest(name: &str) -> Option<&'static str> {
    let name: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let distance = |known: &&str| strsim::damerau_levenshtein(known, &name);
    // A third of the letters: more than that is another word.
    KNOWN.into_iter().min_by_key(distance).filter(|known| distance(known) * 3 <= known.len().max(6))
}

/// An annotation's name in a text; it may come from an attacker.
fn shown(name: &str) -> String {
    format!("annotation {PREFIX}{}", Shown::new(name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn of(annotations: &Value) -> (Result<Choices, String>, Vec<String>) {
        let pod = json!({"metadata": {"annotations": annotations}});
        let annotations = Annotations::of(&pod).unwrap();
        (annotations.choices().map_err(|error| error.to_string()), annotations.warnings())
    }

    fn asks(value: &str) -> Result<bool, String> {
        let pod = json!({"metadata": {"annotations": {"vanta.dev/inject": value}}});
        Annotations::of(&pod).unwrap().asks().map_err(|error| error.to_string())
    }

    #[test]
    fn only_true_asks_and_only_false_or_silence_does_not() {
        assert_eq!(asks("true"), Ok(true));
        assert_eq!(asks("false"), Ok(false));
        for metadata in
            [json!({}), json!({"annotations": null}), json!({"annotations": {"a": "b"}})]
        {
            let pod = json!({"metadata": metadata});
            assert_eq!(Annotations::of(&pod).unwrap().asks(), Ok(false));
        }
        for other in ["True", "TRUE", "yes", "1", "", " true", "False"] {
            assert!(asks(other).is_err(), "{other:?} was let pass");
        }
        insta::assert_snapshot!(
            asks("True").unwrap_err(),
            @r#"annotation vanta.dev/inject "True" is refused: use "true" for an agent and "false" for none, in lower case"#
        );
    }

    #[test]
    fn every_annotation_is_read() {
        let (choices, warnings) = of(&json!({
            "vanta.dev/inject": "true",
            "vanta.dev/access": "checkout, shared,checkout",
            "vanta.dev/containers": "app",
            "vanta.dev/mode": "init",
            "vanta.dev/start-up-budget": "1m30s",
        }));
        let choices = choices.unwrap();
        let names = ["checkout", "shared"].map(|name| name.parse().unwrap());
        assert_eq!(choices.access.as_deref(), Some(&names[..]));
        assert_eq!(choices.containers, Some(vec!["app".parse().unwrap()]));
        assert_eq!((choices.mode, choices.start_up_budget), (AgentMode::Init, Some(90)));
        assert_eq!(warnings, Vec::<String>::new());
        let (choices, _) =
            of(&json!({"vanta.dev/inject": "true", "vanta.dev/on-revoke": "remove"}));
        assert_eq!(choices, Ok(Choices { on_revoke: OnRevoke::Remove, ..Choices::default() }));
    }

    #[test]
    fn times_are_read_as_go_writes_them_or_as_seconds() {
        for (text, expected) in [
            ("90s", 90),
            ("2m", 120),
            ("1h30m", 5400),
            ("1h1m1s", 3661),
            ("45", 45),
            ("24h", 86_400),
        ] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for text in
            ["", "0", "0s", "s", "1.5m", "-1s", "+1s", "90x", "1s1m", "25h", "1d", "99999999999h"]
        {
            assert!(seconds(text).is_err(), "{text:?} was let pass");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_what_to_write() {
        for (name, value, expected) in [
            ("mode", "Sidecar", r#"mode "Sidecar" is refused: use sidecar or init"#),
            ("on-revoke", "delete", r#"on-revoke "delete" is refused: use keep or remove"#),
            ("access", " ", "it names nothing: write names with commas between them, or remove it"),
            ("start-up-budget", "soon", "time \"soon\" is refused: use hours, minutes and"),
            ("containers", "app,,web", "name \"\" is refused"),
        ] {
            let name = format!("vanta.dev/{name}");
            let error = of(&json!({name.clone(): value})).0.unwrap_err();
            assert!(error.starts_with(&format!("annotation {name}: {expected}")), "{error}");
        }
        let pod = json!({"metadata": {"annotations": {"vanta.dev/inject": true}}});
        let error = Annotations::of(&pod).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("vanta.dev/inject is not text, in quotation marks"), "{error}");
    }

    #[test]
    fn an_unknown_annotation_is_a_warning_with_the_nearest_right_name() {
        for (given, meant) in [
            ("injct", "inject"),
            ("Inject", "inject"),
            ("container", "containers"),
            ("startup-budget", "start-up-budget"),
            ("onrevoke", "on-revoke"),
            ("acess", "access"),
        ] {
            let (_, warnings) = of(&json!({
                format!("vanta.dev/{given}"): "x", "vanta.dev/inject": "true",
            }));
            let expected = format!(
                "annotation vanta.dev/{given} is not known and has no effect: did you mean vanta.dev/{meant}?"
            );
            assert_eq!(warnings, [expected]);
        }
        let (_, warnings) = of(&json!({"vanta.dev/image": "x", "vanta.dev/inject": "true"}));
        insta::assert_snapshot!(
            warnings[0],
            @"annotation vanta.dev/image is not known and has no effect: vanta.dev/ has inject, access, containers, mode, start-up-budget, on-revoke"
        );
    }

    #[test]
    fn what_has_no_effect_is_a_warning() {
        let effect = |annotations: &Value| of(annotations).1;
        assert_eq!(
            effect(&json!({"vanta.dev/access": "a", "other.dev/inject": "true"})),
            ["vanta.dev/access has no effect without vanta.dev/inject: \"true\""]
        );
        let warnings =
            effect(&json!({"vanta.dev/inject": "true", "vanta.dev/start-up-budget": "1m"}));
        assert!(warnings[0].contains("without vanta.dev/mode: init"), "{warnings:?}");
        let warnings = effect(&json!({
            "vanta.dev/inject": "true", "vanta.dev/mode": "init", "vanta.dev/on-revoke": "keep",
        }));
        assert!(warnings[0].contains("with vanta.dev/mode: init"), "{warnings:?}");
    }

    #[test]
    fn what_the_annotations_hold_is_bounded_before_it_is_read() {
        let refusal = |annotations: Value| {
            let pod = json!({"metadata": {"annotations": annotations}});
            Annotations::of(&pod).map(|_| ()).unwrap_err()
        };
        let long = "a,".repeat(MOST_BYTES / 2);
        assert_eq!(refusal(json!({"vanta.dev/access": long})), Refusal::AnnotationsTooLarge);
        let (name, half) = (format!("vanta.dev/{}", &long[..8000]), &long[..8400]);
        assert_eq!(refusal(json!({name: half})), Refusal::AnnotationsTooLarge);
        insta::assert_snapshot!(
            Refusal::AnnotationsTooLarge,
            @"annotations vanta.dev/... have more than 16 KiB together: shorten them, or remove those that are not needed"
        );
        // Those of others are no matter.
        let pod = json!({"metadata": {"annotations": {"other.dev/x": long}}});
        assert!(Annotations::of(&pod).unwrap().is_empty());
    }

    #[test]
    fn an_annotation_names_at_most_64_and_each_counts_once() {
        let many = |count: usize| (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",");
        let read = |value: String| of(&json!({"vanta.dev/access": value})).0;
        let twice = format!("{},{}", many(64), many(64));
        assert_eq!(read(twice).unwrap().access.unwrap().len(), 64);
        assert_eq!(
            read(many(65)).unwrap_err(),
            "annotation vanta.dev/access: it names more than 64: write fewer, or remove it"
        );
    }

    #[test]
    fn a_name_from_an_attacker_stays_short_and_printable_and_they_stay_few() {
        let many: Map<String, Value> = (0..50)
            .map(|n| (format!("vanta.dev/{n}\u{1b}{}", "\n".repeat(300)), "x".into()))
            .collect();
        let (_, warnings) = of(&many.into());
        assert_eq!(warnings.len(), MOST_UNKNOWN);
        for warning in warnings {
            assert!(warning.len() <= 256 && !warning.contains(char::is_control), "{warning}");
        }
    }
}
