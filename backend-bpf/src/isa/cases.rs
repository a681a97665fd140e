//! Known encodings and their printed forms, for tests.

/// One encoded instruction.
pub(crate) struct Case {
    pub(crate) bytes: Vec<u8>,
    pub(crate) text: &'static str,
}

/// Every case of the file.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    include_str!("cases.txt").lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (hex, text) = line.split_once(' ').expect("a case is hex, a space and a text");
        Case { bytes: unhex(hex), text }
    })
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}
