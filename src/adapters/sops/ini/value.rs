//! Names and values of keys, with go-ini's quotes, continued lines and inline comments
//! (`parser.go`).

use super::super::error::FileError;
use super::Reader;

const TRIPLE: &str = "\"\"\"";

/// The name of a key and what follows its delimiter, or what is wrong with it.
pub(super) fn name(line: &str) -> Result<(&str, &str), &'static str> {
    const DELIMITERS: [char; 2] = ['=', ':'];
    let quote = match line.as_bytes().first() {
        Some(b'"') if line.len() > 6 && line.starts_with(TRIPLE) => TRIPLE,
        Some(b'"') => "\"",
        Some(b'`') => "`",
        _ => "",
    };
    let unquoted = &line[quote.len()..];
    let (name, rest) = if quote.is_empty() {
        let end = line.find(DELIMITERS).ok_or("a line has neither '=' nor ':'")?;
        line.split_at(end)
    } else {
        unquoted.split_once(quote).ok_or("a key's quotes do not end")?
    };
    let delimiter = rest.find(DELIMITERS).ok_or("a line has neither '=' nor ':'")?;
    let name = name.trim();
    if name.is_empty() {
        return Err("a key has no name");
    }
    Ok((name, &rest[delimiter + 1..]))
}

impl Reader<'_> {
    /// The value that begins after the delimiter, which may go on over several lines.
    pub(super) fn value(&mut self, text: &str) -> Result<String, FileError> {
        let text = text.trim_start();
        let quote = match text.as_bytes().first() {
            None => return Ok(String::new()),
            Some(b'"') if text.len() > 3 && text.starts_with(TRIPLE) => TRIPLE,
            Some(b'`') => "`",
            _ => "",
        };
        if !quote.is_empty() {
            let inside = &text[quote.len()..];
            return match inside.rfind(quote) {
                Some(end) => Ok(inside[..end].to_owned()),
                None => self.quoted_lines(inside, quote),
            };
        }
        let mut text = text.trim_end();
        if let Some(begin) = text.strip_suffix('\\') {
            return self.continued_lines(begin);
        }
        if let Some(comment) = text.find(['#', ';']) {
            self.comment.push_str(&text[comment..]);
            text = text[..comment].trim_end();
        }
        Ok(without_quotes(text).to_owned())
    }

    /// As far as the line that ends the quotes.
    fn quoted_lines(&mut self, begin: &str, quote: &str) -> Result<String, FileError> {
        let mut value = begin.to_owned();
        while let Some(line) = self.next_line() {
            // Else many short lines would cost more than all else.
            self.budget.spend(3, line.len())?;
            let Some(end) = line.rfind(quote) else {
                value.push_str(line);
                continue;
            };
            let after = &line[end + quote.len()..];
            // Newer versions of go-ini go on here, older ones do not.
            if after.trim_end().ends_with('\\') {
                return Err(self.refuse("a backslash follows a value's quotes"));
            }
            value.push_str(&line[..end]);
            if let Some(comment) = after.find(['#', ';']) {
                self.comment.push_str(after[comment..].trim());
            }
            return Ok(value);
        }
        Err(self.refuse("a value's quotes do not end"))
    }

    fn continued_lines(&mut self, begin: &str) -> Result<String, FileError> {
        let mut value = begin.to_owned();
        while let Some(line) = self.next_line() {
            self.budget.spend(3, line.len())?;
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            value.push_str(line);
            if !value.ends_with('\\') {
                break;
            }
            value.pop();
        }
        Ok(value)
    }
}

/// Without the quotes around, where there are no others of their kind.
fn without_quotes(text: &str) -> &str {
    let inside = |quote: char| {
        let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains(quote)).then_some(inside)
    };
    inside('\'').or_else(|| inside('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::{MapItem, Node, Scalar};
    use super::*;

    fn value(text: &str) -> String {
        let read = Reader::new(text).read().unwrap();
        match &read.sections[0].items[0] {
            MapItem::Entry(_, Node::Scalar(Scalar::Text(value))) => {
                String::from_utf8(value.clone()).unwrap()
            }
            _ => "not a key".to_owned(),
        }
    }

    #[test]
    fn a_value_is_what_go_ini_makes_of_it() {
        for (text, is) in [
            ("k =", ""),
            ("k = v ", "v"),
            ("k:v=w", "v=w"),
            ("k = 'v w'", "v w"),
            ("k = 'it's'", "'it's'"),
            ("k = \"v\" # c", "v"),
            ("k = \"a;b\"", "\"a"),
            ("k = `a;b`", "a;b"),
            ("k = `a` b` c", "a` b"),
            ("k = \"\"\"a\"b\"\"\" ; c", "a\"b"),
            ("k = \"\"\"a\nb \n c\"\"\"", "a\nb \n c"),
            ("k = `a\r\nb`", "a\r\nb"),
            ("k = a \\\n  b \\\n c # d", "a b c # d"),
            ("k = a\\\n\nl = 1", "a"),
            ("k = a\\", "a"),
            ("k = \"\"\"", "\"\"\""),
            ("k = \"\"", ""),
            ("k = \"", "\""),
            ("k = \\n", "\\n"),
            ("k = \u{a0}v\u{a0}", "v"),
        ] {
            assert_eq!(value(text), is, "{text:?}");
        }
    }

    #[test]
    fn a_key_can_be_quoted() {
        for (line, is) in [
            ("k=v", Ok(("k", "v"))),
            ("a b : v", Ok(("a b", " v"))),
            ("\"a=b\" = v", Ok(("a=b", " v"))),
            ("`a:b`x=v", Ok(("a:b", "v"))),
            ("\"\"\"a`\"b\"\"\"=v", Ok(("a`\"b", "v"))),
            ("\"a\" v", Err("a line has neither '=' nor ':'")),
            ("` ` = v", Err("a key has no name")),
        ] {
            assert_eq!(name(line), is, "{line}");
        }
    }

    #[test]
    fn what_versions_read_differently_is_refused() {
        assert!(Reader::new("k = `a\nb` \\\nc`").read().is_err());
    }
}
