//! Tokens of one line. The format is line-based: nothing but a line's end ends an instruction or a declaration,
//! so the reader recovers from an error at the next line, and noise costs one error a line and no memory.

use std::borrow::Cow;

/// A token.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token<'a> {
    /// `Load`, `v7`, `chanrecv2`, `inlined-at`.
    Word(&'a str),
    /// `@filter`, `@"main.(*T).Run"`; also the first half of `@8:14`.
    At(Cow<'a, str>),
    /// `%event`
    Percent(Cow<'a, str>),
    /// `"text"`, unescaped.
    Str(Cow<'a, str>),
    /// An integer.
    Int(Int),
    /// A number with a point or an exponent, `inf`-less.
    Float(&'a str),
    /// `→` or `->`
    Right,
    /// `←` or `<-`
    Left,
    /// `..`
    Dots,
    /// One of `( ) [ ] { } < > : , = -`
    Punct(char),
    /// Nothing more on this line.
    End,
    /// No token at all; the sentence says why.
    Bad(&'static str),
}

/// An integer as written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Int {
    /// Without the sign.
    pub(super) magnitude: u64,
    /// Whether a minus stands before it.
    pub(super) negative: bool,
    /// Whether it is written in hexadecimal.
    pub(super) hex: bool,
}

/// A token with its place in the line.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    /// Bytes from the line's start, and past the token.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The next token of `line` at or behind byte `at`.
pub(super) fn next_token(line: &str, at: usize) -> Lexeme<'_> {
    let bytes = line.as_bytes();
    let mut start = at;
    while bytes.get(start).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r')) {
        start += 1;
    }
    let rest = &line[start..];
    let Some(first) = rest.chars().next() else {
        return Lexeme { token: Token::End, start, end: start };
    };
    let (token, len) = match first {
        ';' => (Token::End, 0),
        '→' => (Token::Right, first.len_utf8()),
        '←' => (Token::Left, first.len_utf8()),
        '-' if rest.starts_with("->") => (Token::Right, 2),
        '<' if rest.starts_with("<-") => (Token::Left, 2),
        '.' if rest.starts_with("..") => (Token::Dots, 2),
        '0'..='9' => number(rest),
        '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest),
        '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ':' | ',' | '=' | '-' => (Token::Punct(first), 1),
        '"' => quoted(rest, Token::Str),
        '@' => symbol(rest, "a name follows the @", Token::At),
        '%' => symbol(rest, "a name follows the %", Token::Percent),
        c if c.is_ascii_alphabetic() || c == '_' => {
            let len = word_len(rest);
            (Token::Word(&rest[..len]), len)
        }
        c => (Token::Bad("this character has no meaning here"), c.len_utf8()),
    };
    Lexeme { token, start, end: start + len }
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'.'
}

/// Letters, digits, `_`, single dots, and dashes before a letter.
fn word_len(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut len = 0;
    while let Some(&b) = bytes.get(len) {
        let next = bytes.get(len + 1);
        let dash = b == b'-' && next.is_some_and(u8::is_ascii_alphabetic);
        let dots = b == b'.' && next == Some(&b'.');
        if !(is_name_byte(b) || dash) || dots {
            break;
        }
        len += 1;
    }
    len
}

fn symbol<'a>(
    rest: &'a str,
    missing: &'static str,
    make: impl Fn(Cow<'a, str>) -> Token<'a>,
) -> (Token<'a>, usize) {
    let name = &rest[1..];
    if name.starts_with('"') {
        let (token, len) = quoted(name, make);
        return (token, len + 1);
    }
    let len = name.bytes().take_while(|&b| is_name_byte(b)).count();
    if len == 0 { (Token::Bad(missing), 1) } else { (make(Cow::Borrowed(&name[..len])), len + 1) }
}

/// A string: `rest` starts with its quote.
fn quoted<'a>(rest: &'a str, make: impl Fn(Cow<'a, str>) -> Token<'a>) -> (Token<'a>, usize) {
    let body = &rest[1..];
    let plain = body.bytes().position(|b| b == b'"' || b == b'\\').unwrap_or(body.len());
    if body.as_bytes().get(plain) == Some(&b'"') {
        return (make(Cow::Borrowed(&body[..plain])), plain + 2);
    }
    let mut text = String::from(&body[..plain]);
    let mut chars = body[plain..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (make(Cow::Owned(text)), plain + at + 2),
            '\\' => match escape(&body[plain + at..]) {
                Some((c, len)) => {
                    text.push(c);
                    // The backslash is consumed; what it escapes is ASCII.
                    for _ in 1..len {
                        chars.next();
                    }
                }
                None => return (Token::Bad("unknown escape in a string"), plain + at + 2),
            },
            c => text.push(c),
        }
    }
    (Token::Bad("the string does not end on its line"), rest.len())
}

/// The character that an escape stands for, and the escape's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let simple = |c| Some((c, 2));
    match text.as_bytes().get(1)? {
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'\\' => simple('\\'),
        b'"' => simple('"'),
        b'u' => {
            let digits = text[2..].strip_prefix('{')?;
            let len = digits.bytes().take(7).position(|b| b == b'}')?;
            let hex = digits.get(..len).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
            Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, len + 4))
        }
        _ => None,
    }
}

fn number(rest: &str) -> (Token<'_>, usize) {
    let negative = rest.starts_with('-');
    let sign = usize::from(negative);
    let digits = &rest[sign..];
    let hex = digits.starts_with("0x");
    let mut len = if hex { 2 } else { 0 };
    let bytes = digits.as_bytes();
    let mut float = false;
    while let Some(&b) = bytes.get(len) {
        let next_is_digit = bytes.get(len + 1).is_some_and(u8::is_ascii_digit);
        let point = b == b'.' && next_is_digit && !float;
        let exponent_sign =
            !hex && matches!(b, b'-' | b'+') && next_is_digit && matches!(bytes[len - 1], b'e' | b'E');
        if !(b.is_ascii_alphanumeric() || b == b'_' || point || exponent_sign) {
            break;
        }
        float |= !hex && (point || matches!(b, b'e' | b'E'));
        len += 1;
    }
    let end = sign + len;
    if float {
        let ok = rest[..end].parse::<f64>().is_ok();
        return (if ok { Token::Float(&rest[..end]) } else { Token::Bad("malformed number") }, end);
    }
    let (digits, radix) = if hex { (&digits[2..len], 16) } else { (&digits[..len], 10) };
    let token = match u64::from_str_radix(digits, radix) {
        Ok(magnitude) => Token::Int(Int { magnitude, negative, hex }),
        Err(_) if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) => {
            Token::Bad("the number does not fit 64 bits")
        }
        Err(_) => Token::Bad("malformed number"),
    };
    (token, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(line: &str) -> Vec<Token<'_>> {
        let mut at = 0;
        let mut out = Vec::new();
        loop {
            let lexeme = next_token(line, at);
            assert!(lexeme.start <= lexeme.end && lexeme.end <= line.len());
            at = lexeme.end;
            match lexeme.token {
                Token::End => return out,
                token => out.push(token),
            }
        }
    }

    fn int(magnitude: u64, negative: bool, hex: bool) -> Token<'static> {
        Token::Int(Int { magnitude, negative, hex })
    }

    #[test]
    fn numbers_ranges_and_arrows() {
        assert_eq!(tokens("0..15"), [int(0, false, false), Token::Dots, int(15, false, false)]);
        assert_eq!(tokens("-7 0xFf"), [int(7, true, false), int(255, false, true)]);
        assert_eq!(tokens("1.5 -2e-3"), [Token::Float("1.5"), Token::Float("-2e-3")]);
        assert_eq!(tokens("-> → <- ←"), [Token::Right, Token::Right, Token::Left, Token::Left]);
        assert_eq!(tokens("99999999999999999999"), [Token::Bad("the number does not fit 64 bits")]);
        assert_eq!(tokens("12ab 0x")[..], [Token::Bad("malformed number"), Token::Bad("malformed number")]);
        assert_eq!(tokens("v1..v2"), [Token::Word("v1"), Token::Dots, Token::Word("v2")]);
    }

    #[test]
    fn strings_and_symbols() {
        assert_eq!(tokens(r#""a\"b\\\n\u{e9}ü" ; rest"#), [Token::Str("a\"b\\\néü".into())]);
        assert_eq!(tokens("@f.g %\"a b\""), [Token::At("f.g".into()), Token::Percent("a b".into())]);
        assert_eq!(tokens("\"open"), [Token::Bad("the string does not end on its line")]);
        assert!(matches!(tokens("\"\\q\"")[0], Token::Bad(_)));
        assert!(matches!(tokens("\"\\")[0], Token::Bad(_)));
        assert!(matches!(tokens("\"\\u{d800}\"")[0], Token::Bad(_)));
        assert_eq!(tokens("inlined-at l1"), [Token::Word("inlined-at"), Token::Word("l1")]);
    }
}
