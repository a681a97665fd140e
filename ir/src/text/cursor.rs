//! Walking over one line, token by token, and what goes wrong there.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use crate::diag::{Diagnostic, Span};

use super::lex::{Int, Lexeme, Token, next_token};
use super::source_map::Place;

/// After so many errors the reader stops.
pub(super) const MOST_ERRORS: usize = 100;

/// The errors of a text.
#[derive(Debug)]
pub(super) struct Errors {
    file: Arc<str>,
    pub(super) list: Vec<Diagnostic>,
}

impl Errors {
    pub(super) fn new(file: Arc<str>) -> Errors {
        Errors { file, list: Vec::new() }
    }
    /// Whether there are so many that nobody would read more.
    pub(super) fn enough(&self) -> bool {
        self.list.len() >= MOST_ERRORS
    }
    /// Locates and records an error, unless there are enough.
    pub(super) fn add(&mut self, place: Place, error: Diagnostic) {
        if !self.enough() {
            let span = Span { file: self.file.clone(), line: place.line, col: place.col, len: place.len };
            self.list.push(error.in_text(span));
        }
    }
}

/// An error with its place, on its way to [`Errors::add`].
pub(super) type Failure = Box<(Place, Diagnostic)>;
/// What reading a part of a line gives.
pub(super) type Read<T> = Result<T, Failure>;

/// A line of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    /// From 1.
    pub(super) number: u32,
}

impl<'a> Line<'a> {
    pub(super) fn cursor(self) -> Cursor<'a> {
        Cursor { line: self, ahead: next_token(self.text, 0), last_end: 0 }
    }
}

/// A place within a line.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    line: Line<'a>,
    ahead: Lexeme<'a>,
    last_end: usize,
}

/// Columns and lengths of lines past 4 GiB saturate.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<'a> Cursor<'a> {
    /// The next token.
    pub(super) fn peek(&self) -> &Token<'a> {
        &self.ahead.token
    }
    /// Takes the next token.
    pub(super) fn take(&mut self) -> Token<'a> {
        let next = next_token(self.line.text, self.ahead.end);
        self.last_end = self.ahead.end;
        std::mem::replace(&mut self.ahead, next).token
    }
    /// Where the next token stands.
    pub(super) fn place(&self) -> Place {
        self.between(self.ahead.start, self.ahead.end)
    }
    /// The byte of the line where the next token starts.
    pub(super) fn start(&self) -> usize {
        self.ahead.start
    }
    /// From a byte of the line to the end of the token taken last.
    pub(super) fn since(&self, start: usize) -> Place {
        self.between(start, self.last_end)
    }
    fn between(&self, start: usize, end: usize) -> Place {
        Place {
            line: self.line.number,
            col: narrow(start + 1),
            len: narrow(end.saturating_sub(start).max(1)),
        }
    }

    /// An error at the next token.
    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(self.failure(Diagnostic::error(message)))
    }
    /// The same, ready-made.
    pub(super) fn failure(&self, error: Diagnostic) -> Failure {
        Box::new((self.place(), error))
    }
    /// "expected …" at the next token, which is named.
    pub(super) fn expected<T>(&self, what: impl Display) -> Read<T> {
        if let Token::Bad(why) = self.ahead.token {
            return self.fail(why);
        }
        let found = match &self.ahead.token {
            Token::End => "the line ends".to_string(),
            _ => {
                let text = &self.line.text[self.ahead.start..self.ahead.end];
                let shown: String = text.chars().take(40).collect();
                let dots = if shown.len() < text.len() { "…" } else { "" };
                format!("found `{shown}{dots}`")
            }
        };
        self.fail(format!("expected {what}, {found}"))
    }

    /// Takes a punctuation mark if it is next.
    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.ahead.token == Token::Punct(c);
        if found {
            self.take();
        }
        found
    }
    /// Takes a word if it is next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.ahead.token == Token::Word(word);
        if found {
            self.take();
        }
        found
    }
    /// Takes a token if it is next.
    pub(super) fn eat_token(&mut self, token: &Token<'_>) -> bool {
        let found = self.ahead.token == *token;
        if found {
            self.take();
        }
        found
    }
    /// Takes a punctuation mark.
    pub(super) fn expect(&mut self, c: char) -> Read<()> {
        if self.eat(c) { Ok(()) } else { self.expected(format_args!("`{c}`")) }
    }
    /// Takes a word.
    pub(super) fn expect_word(&mut self, word: &str) -> Read<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(format_args!("`{word}`")) }
    }
    /// The line must be over.
    pub(super) fn end(&self) -> Read<()> {
        if self.ahead.token == Token::End { Ok(()) } else { self.expected("the end of the line") }
    }

    /// Any word.
    pub(super) fn word(&mut self, what: &str) -> Read<&'a str> {
        match self.ahead.token {
            Token::Word(word) => {
                self.take();
                Ok(word)
            }
            _ => self.expected(what),
        }
    }
    /// A word or a string: a name without a sigil.
    pub(super) fn name(&mut self, what: &str) -> Read<Cow<'a, str>> {
        match self.peek() {
            Token::Word(word) => {
                let word = *word;
                self.take();
                Ok(Cow::Borrowed(word))
            }
            _ => self.string(what),
        }
    }
    /// A string.
    pub(super) fn string(&mut self, what: &str) -> Read<Cow<'a, str>> {
        match self.peek() {
            Token::Str(_) => match self.take() {
                Token::Str(text) => Ok(text),
                _ => unreachable!("peek and take see the same token"),
            },
            _ => self.expected(what),
        }
    }
    /// A name behind `@`.
    pub(super) fn at(&mut self, what: &str) -> Read<Cow<'a, str>> {
        match self.peek() {
            Token::At(_) => match self.take() {
                Token::At(name) => Ok(name),
                _ => unreachable!("peek and take see the same token"),
            },
            _ => self.expected(what),
        }
    }
    /// A name behind `%`.
    pub(super) fn percent(&mut self, what: &str) -> Read<Cow<'a, str>> {
        match self.peek() {
            Token::Percent(_) => match self.take() {
                Token::Percent(name) => Ok(name),
                _ => unreachable!("peek and take see the same token"),
            },
            _ => self.expected(what),
        }
    }
    /// An integer of any sign.
    pub(super) fn int(&mut self, what: &str) -> Read<Int> {
        match self.ahead.token {
            Token::Int(int) => {
                self.take();
                Ok(int)
            }
            _ => self.expected(what),
        }
    }
    /// An integer from 0 to 2⁶⁴ − 1.
    pub(super) fn u64(&mut self, what: &str) -> Read<u64> {
        match self.ahead.token {
            Token::Int(Int { negative: true, .. }) => self.fail(format!("{what} is not negative")),
            _ => Ok(self.int(what)?.magnitude),
        }
    }
    /// An integer from 0 to 2³² − 1.
    pub(super) fn u32(&mut self, what: &str) -> Read<u32> {
        let place = self.place();
        let n = self.u64(what)?;
        u32::try_from(n).map_err(|_| {
            Box::new((place, Diagnostic::error(format!("{what} is {n}, which does not fit 32 bits"))))
        })
    }

    /// The number of an id: 7 for `v7`, if the next token is a `v` and a number without needless zeros.
    pub(super) fn peek_id(&self, prefix: char) -> Option<u32> {
        let Token::Word(word) = self.ahead.token else { return None };
        let digits = word.strip_prefix(prefix)?;
        let canonical = digits == "0" || !digits.starts_with('0');
        let number = canonical && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // The greatest number is what no id ever has.
        number.then(|| digits.parse().ok().filter(|&n| n != u32::MAX)).flatten()
    }
    /// The number of an id.
    pub(super) fn id(&mut self, prefix: char, what: &str) -> Read<u32> {
        match self.peek_id(prefix) {
            Some(n) => {
                self.take();
                Ok(n)
            }
            None => self.expected(what),
        }
    }
}
