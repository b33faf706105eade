//! Lines of any length, from either end.
#![cfg(feature = "vault")]

use std::io::Write as _;

use super::*;

fn file(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn lines_are_read_from_the_end_whatever_their_length() {
    let long = "x".repeat(200_000);
    let lines = ["a", "", &long, "b", &long, &long, "c"];
    let text: String = lines.join("\n") + "\n";
    let backward = Backward::new(file(&text), text.len() as u64);
    let mut read: Vec<String> = backward.map(Result::unwrap).collect();
    read.reverse();
    assert_eq!(read, lines);
    assert_eq!(Backward::new(file(""), 0).count(), 0);
}

#[test]
fn a_place_is_found_by_halving() {
    let texts = (0..300).map(|number| format!("{:03}{}", number, "-".repeat(number % 70)));
    let lines: Vec<String> = texts.collect();
    let text: String = lines.join("\n") + "\n";
    let mut file = file(&format!("{text}unfinished"));
    for sought in 0..=300 {
        let found = partition_point(&mut file, |line| line[..3].parse::<usize>().unwrap() < sought);
        let expected: usize = lines[..sought].iter().map(|line| line.len() + 1).sum();
        assert_eq!(found.unwrap(), expected as u64, "{sought}");
    }
}

#[test]
fn the_last_complete_line_is_found_before_an_unfinished_one() {
    let long = "x".repeat(200_000);
    let (end, line) = last_complete_line(&mut file(&format!("a\nb\n{long}"))).unwrap();
    assert_eq!((end, line.as_deref()), (4, Some("b")));
    assert_eq!(last_complete_line(&mut file("unfinished")).unwrap(), (0, None));
}
