//! Writing: standard output that may go away, files that are whole or not there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;

/// Writes text to standard output, its colours where they are wanted.
pub(super) fn text(text: &str) -> Result<(), CliError> {
    let mut stream = anstream::AutoStream::auto(io::stdout().lock());
    finish(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()))
}

/// Writes bytes to standard output as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stream = io::stdout().lock();
    finish(stream.write_all(bytes).and_then(|()| stream.flush()))
}

fn finish(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::BrokenPipe),
        Err(error) => Err(CliError::input(format!("cannot write to standard output: {}", reason(&error)))),
    }
}

/// Writes to standard error. If that fails there is nobody left to tell.
pub(super) fn diagnostic(text: &str) {
    let mut stream = anstream::AutoStream::auto(io::stderr().lock());
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// Writes to a file, or to standard output for `-`. The file is written beside its place and moved there: nobody
/// sees half of it.
pub(super) fn to(path: &Path, contents: &[u8]) -> Result<(), CliError> {
    if path == Path::new("-") {
        return bytes(contents);
    }
    let failed =
        |error: io::Error| CliError::input(format!("cannot write `{}`: {}", path.display(), reason(&error)));
    if !is_replaceable(path) {
        return std::fs::write(path, contents).map_err(failed);
    }
    let temporary = beside(path);
    let written = std::fs::write(&temporary, contents).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        failed(error)
    })
}

/// Whether a path is a plain file or nothing yet: a device or a pipe is written to, not replaced.
fn is_replaceable(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |meta| meta.is_file())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// An error of the system, in lower case and without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = std::env::temp_dir().join(format!("larrow-output-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("x.o");
        to(&path, b"one").unwrap();
        to(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        assert!(to(&dir.join("no").join("x.o"), b"").is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
