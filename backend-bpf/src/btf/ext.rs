//! `.BTF.ext`: which function and which source line each instruction belongs to.
//!
//! Offsets in the file are in bytes from the start of the ELF section; the kernel wants them in instructions from the
//! start of the program, which is why nothing here is handed to it unchanged.

use std::collections::HashMap;

use super::decode::{Cursor, StringTable, part};
use super::encode::MAGIC;
use super::{BtfError, Strings, TypeId};

/// Size of a function record, in bytes.
pub const FUNC_RECORD: u32 = 8;
/// Size of a line record, in bytes.
pub const LINE_RECORD: u32 = 16;
const HEADER_LEN: u32 = 32;

/// A function starts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuncInfo {
    /// Byte offset in the ELF section.
    pub offset: u32,
    /// The function's BTF type.
    pub ty: TypeId,
}

/// From here on, instructions come from this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineInfo {
    /// Byte offset in the ELF section.
    pub offset: u32,
    /// String offset of the file's name.
    pub file: u32,
    /// String offset of the line's text.
    pub text: u32,
    /// Line << 10 | column.
    pub line_column: u32,
}

/// The tables of one ELF section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionInfo {
    /// The section's name.
    pub section: String,
    /// Its functions, by offset.
    pub functions: Vec<FuncInfo>,
    /// Its lines, by offset.
    pub lines: Vec<LineInfo>,
}

/// What a `.BTF.ext` section says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BtfExt {
    /// Tables by ELF section.
    pub sections: Vec<SectionInfo>,
    /// How many relocations against the running kernel's types (CO-RE) there are.
    pub core_relocations: u32,
}

/// Line and column in the format's one word: 22 bits of line, 10 of column. What does not fit becomes 0, "unknown".
pub fn pack_line_column(line: u32, column: u32) -> u32 {
    let line = if line < 1 << 22 { line } else { 0 };
    let column = if column < 1 << 10 { column } else { 0 };
    line << 10 | column
}

impl BtfExt {
    /// The `.BTF.ext` section; section names go to `strings`, where the line records' strings are already.
    pub fn to_bytes(&self, strings: &mut Strings) -> Vec<u8> {
        let mut functions = FUNC_RECORD.to_le_bytes().to_vec();
        let mut lines = LINE_RECORD.to_le_bytes().to_vec();
        for section in &self.sections {
            let name = strings.intern(&section.section);
            if !section.functions.is_empty() {
                words(&mut functions, &[name, section.functions.len() as u32]);
            }
            for record in &section.functions {
                words(&mut functions, &[record.offset, record.ty.0]);
            }
            if !section.lines.is_empty() {
                words(&mut lines, &[name, section.lines.len() as u32]);
            }
            for record in &section.lines {
                words(&mut lines, &[record.offset, record.file, record.text, record.line_column]);
            }
        }
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[1, 0]);
        let (func_len, line_len) = (functions.len() as u32, lines.len() as u32);
        // The last pair is the CO-RE table, which is empty.
        words(&mut bytes, &[HEADER_LEN, 0, func_len, func_len, line_len, func_len + line_len, 0]);
        bytes.extend(functions);
        bytes.extend(lines);
        bytes
    }

    /// Reads a `.BTF.ext` section; `strings` is the table of the `.BTF` section beside it.
    ///
    /// # Errors
    /// [`BtfError::Malformed`] with the offset, where the bytes are no such table.
    pub fn parse(bytes: &[u8], strings: StringTable<'_>) -> Result<Self, BtfError> {
        let mut header = Cursor::new(bytes, 0);
        if header.u16()? != MAGIC {
            return Err(Cursor::new(bytes, 0).malformed("the magic number is not 0xeb9f, little-endian"));
        }
        header.u16()?;
        let base = header.u32()?;
        let mut ext = Self::default();
        let mut places = HashMap::new();
        for table in [Table::Functions, Table::Lines] {
            let (start, len) = (header.u32()?, header.u32()?);
            part(bytes, base, start, len, "records")?;
            let begin = base as usize + start as usize;
            let cursor = Cursor::new(&bytes[..begin + len as usize], begin);
            ext.table(cursor, begin + len as usize, table, strings, &mut places)?;
        }
        if base >= HEADER_LEN {
            let (start, len) = (header.u32()?, header.u32()?);
            part(bytes, base, start, len, "relocations")?;
            let begin = base as usize + start as usize;
            let end = begin + len as usize;
            ext.core_relocations = count_records(Cursor::new(&bytes[..end], begin), end)?;
        }
        Ok(ext)
    }

    fn table<'s>(
        &mut self,
        mut cursor: Cursor<'_>,
        end: usize,
        table: Table,
        strings: StringTable<'s>,
        places: &mut HashMap<&'s str, usize>,
    ) -> Result<(), BtfError> {
        if cursor.at() == end {
            return Ok(());
        }
        let at = cursor;
        let record = cursor.u32()?;
        if record < table.record() || record % 4 != 0 {
            return Err(at.malformed(format!("a record size of {record} bytes")));
        }
        while cursor.at() < end {
            let at = cursor;
            let (name, count) = (cursor.u32()?, cursor.u32()?);
            let name = strings.get(name).ok_or_else(|| at.malformed("the section's name is no string"))?;
            let section = self.section(name, places);
            for _ in 0..count {
                match table {
                    Table::Functions => {
                        let (offset, ty) = (cursor.u32()?, TypeId(cursor.u32()?));
                        section.functions.push(FuncInfo { offset, ty });
                    }
                    Table::Lines => {
                        let (offset, file) = (cursor.u32()?, cursor.u32()?);
                        let (text, line_column) = (cursor.u32()?, cursor.u32()?);
                        section.lines.push(LineInfo { offset, file, text, line_column });
                    }
                }
                for _ in table.record() / 4..record / 4 {
                    cursor.u32()?;
                }
            }
        }
        Ok(())
    }

    /// The tables of the section called `name`, new ones if there are none yet; `places` says where each one's are.
    fn section<'s>(&mut self, name: &'s str, places: &mut HashMap<&'s str, usize>) -> &mut SectionInfo {
        let next = self.sections.len();
        let index = *places.entry(name).or_insert(next);
        if index == next {
            let section = SectionInfo { section: name.into(), functions: Vec::new(), lines: Vec::new() };
            self.sections.push(section);
        }
        &mut self.sections[index]
    }
}

#[derive(Clone, Copy)]
enum Table {
    Functions,
    Lines,
}

impl Table {
    fn record(self) -> u32 {
        match self {
            Self::Functions => FUNC_RECORD,
            Self::Lines => LINE_RECORD,
        }
    }
}

fn words(out: &mut Vec<u8>, words: &[u32]) {
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

/// Counts the records of a table whose contents do not matter here.
fn count_records(mut cursor: Cursor<'_>, end: usize) -> Result<u32, BtfError> {
    if cursor.at() == end {
        return Ok(0);
    }
    let at = cursor;
    let record = cursor.u32()?;
    if record == 0 || record % 4 != 0 {
        return Err(at.malformed(format!("a record size of {record} bytes")));
    }
    let mut total = 0u32;
    while cursor.at() < end {
        let (_, count) = (cursor.u32()?, cursor.u32()?);
        total = total.saturating_add(count);
        for _ in 0..u64::from(count) * u64::from(record / 4) {
            cursor.u32()?;
        }
    }
    Ok(total)
}
