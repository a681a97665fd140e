//! The string table that `.BTF` and `.BTF.ext` share.

use std::collections::HashMap;

/// Strings laid end to end, each once, each ended by a zero byte; offset 0 is the empty string.
#[derive(Debug, Clone)]
pub struct Strings {
    bytes: Vec<u8>,
    offsets: HashMap<String, u32>,
}

impl Default for Strings {
    fn default() -> Self {
        Self::new()
    }
}

impl Strings {
    /// A table with the empty string alone.
    pub fn new() -> Self {
        Self { bytes: vec![0], offsets: HashMap::from([(String::new(), 0)]) }
    }

    /// The offset of `text`, appended if it is new. A zero byte would end the string early, so the text is cut there.
    pub fn intern(&mut self, text: &str) -> u32 {
        let text = text.split('\0').next().unwrap_or_default();
        if let Some(&offset) = self.offsets.get(text) {
            return offset;
        }
        let offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }

    /// The table as it stands in the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}
