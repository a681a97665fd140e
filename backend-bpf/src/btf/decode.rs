//! Bytes to types.

use super::encode::{HEADER_LEN, MAGIC, kind};
use super::{Btf, BtfError, DataEntry, EnumValue, IntEncoding, Linkage, Type, TypeId, VariableLinkage};
use super::{Member, Parameter};

/// A place in a byte slice, read forward in little-endian words; every read past the end is an error with its offset.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn malformed(&self, what: impl Into<String>) -> BtfError {
        BtfError::Malformed { offset: self.at, what: what.into() }
    }

    pub(super) fn u16(&mut self) -> Result<u16, BtfError> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BtfError> {
        self.take().map(u32::from_le_bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BtfError> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let chunk = *found.ok_or_else(|| self.malformed(format!("{N} more bytes expected, the data end")))?;
        self.at += N;
        Ok(chunk)
    }
}

/// The part of `bytes` that `start` and `len` name, counted from `base`; `what` names it in the error.
pub(super) fn part<'a>(
    bytes: &'a [u8],
    base: u32,
    start: u32,
    len: u32,
    what: &str,
) -> Result<&'a [u8], BtfError> {
    let begin = base as usize + start as usize;
    bytes.get(begin..begin.saturating_add(len as usize)).ok_or_else(|| BtfError::Malformed {
        offset: begin,
        what: format!("the {what} ({len} bytes) reach past the end ({} bytes)", bytes.len()),
    })
}

/// The strings of a parsed section, read by offset.
#[derive(Clone, Copy)]
pub struct StringTable<'a> {
    bytes: &'a [u8],
}

impl<'a> StringTable<'a> {
    /// The string at `offset`; none if that lies outside, is no UTF-8, or does not end within 4096 bytes: a file may
    /// refer to one string any number of times, so that longer ones could fill the memory.
    pub fn get(&self, offset: u32) -> Option<&'a str> {
        let rest = self.bytes.get(offset as usize..)?;
        let rest = rest.get(..4096).unwrap_or(rest);
        let end = rest.iter().position(|&b| b == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

impl Btf {
    /// Reads a `.BTF` section.
    ///
    /// # Errors
    /// [`BtfError::Malformed`] with the offset, where the bytes are no BTF.
    pub fn parse(bytes: &[u8]) -> Result<Self, BtfError> {
        Self::parse_with_strings(bytes).map(|(btf, _)| btf)
    }

    /// As [`parse`](Self::parse), with the string table, which `.BTF.ext` refers to.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with_strings(bytes: &[u8]) -> Result<(Self, StringTable<'_>), BtfError> {
        let mut header = Cursor::new(bytes, 0);
        if header.u16()? != MAGIC {
            return Err(Cursor::new(bytes, 0).malformed("the magic number is not 0xeb9f, little-endian"));
        }
        if header.u16()? & 0xff != 1 {
            return Err(Cursor::new(bytes, 2).malformed("the version is not 1"));
        }
        let base = header.u32()?;
        if base < HEADER_LEN {
            return Err(Cursor::new(bytes, 4).malformed(format!("a header of {base} bytes is too short")));
        }
        let (type_start, type_len) = (header.u32()?, header.u32()?);
        let (string_start, string_len) = (header.u32()?, header.u32()?);
        let types = part(bytes, base, type_start, type_len, "types")?;
        let strings = StringTable { bytes: part(bytes, base, string_start, string_len, "strings")? };
        let begin = base as usize + type_start as usize;
        let mut decoder = Decoder { cursor: Cursor::new(&bytes[..begin + types.len()], begin), strings };
        let mut btf = Self::new();
        while decoder.cursor.at() < begin + types.len() {
            let ty = decoder.type_()?;
            let id = btf.push(ty.clone());
            btf.ids.entry(ty).or_insert(id);
        }
        Ok((btf, strings))
    }
}

struct Decoder<'a> {
    cursor: Cursor<'a>,
    strings: StringTable<'a>,
}

impl Decoder<'_> {
    fn type_(&mut self) -> Result<Type, BtfError> {
        let start = self.cursor;
        let name = self.name()?;
        let info = self.cursor.u32()?;
        let (count, flag) = ((info & 0xffff) as usize, info >> 31 == 1);
        let size = self.cursor.u32()?;
        let target = TypeId(size);
        Ok(match info >> 24 & 0x1f {
            kind::INT => self.int(name, size)?,
            kind::PTR => Type::Pointer { target },
            kind::ARRAY => {
                let (element, index) = (self.id()?, self.id()?);
                Type::Array { element, index, count: self.cursor.u32()? }
            }
            kind::STRUCT => Type::Struct { name, size, members: self.members(count, flag)? },
            kind::UNION => Type::Union { name, size, members: self.members(count, flag)? },
            kind::ENUM => Type::Enum { name, size, signed: flag, values: self.values(count, flag, false)? },
            kind::ENUM64 => {
                Type::Enum64 { name, size, signed: flag, values: self.values(count, flag, true)? }
            }
            kind::FWD => Type::Forward { name, is_union: flag },
            kind::TYPEDEF => Type::Typedef { name, target },
            kind::VOLATILE => Type::Volatile { target },
            kind::CONST => Type::Const { target },
            kind::RESTRICT => Type::Restrict { target },
            kind::FUNC => {
                let linkage = match count {
                    0 => Linkage::Static,
                    1 => Linkage::Global,
                    2 => Linkage::Extern,
                    other => return Err(start.malformed(format!("function linkage {other} is unknown"))),
                };
                Type::Function { name, prototype: target, linkage }
            }
            kind::FUNC_PROTO => Type::FunctionProto { result: target, parameters: self.parameters(count)? },
            kind::VAR => self.variable(name, target)?,
            kind::DATASEC => Type::DataSection { name, size, entries: self.entries(count)? },
            kind::FLOAT => Type::Float { name, size },
            kind::DECL_TAG => Type::DeclTag { name, target, component: self.cursor.u32()?.cast_signed() },
            kind::TYPE_TAG => Type::TypeTag { name, target },
            other => return Err(start.malformed(format!("type kind {other} is unknown"))),
        })
    }

    fn int(&mut self, name: String, size: u32) -> Result<Type, BtfError> {
        let at = self.cursor;
        let word = self.cursor.u32()?;
        let encoding = match word >> 24 & 0xf {
            0 => IntEncoding::Unsigned,
            1 => IntEncoding::Signed,
            2 | 3 => IntEncoding::Char,
            4 => IntEncoding::Bool,
            other => return Err(at.malformed(format!("integer encoding {other} is unknown"))),
        };
        Ok(Type::Int { name, size, encoding, bit_offset: (word >> 16) as u8, bits: word as u8 })
    }

    fn variable(&mut self, name: String, ty: TypeId) -> Result<Type, BtfError> {
        let at = self.cursor;
        let linkage = match self.cursor.u32()? {
            0 => VariableLinkage::Static,
            1 => VariableLinkage::Global,
            2 => VariableLinkage::Extern,
            other => return Err(at.malformed(format!("variable linkage {other} is unknown"))),
        };
        Ok(Type::Variable { name, ty, linkage })
    }

    fn members(&mut self, count: usize, bitfields: bool) -> Result<Vec<Member>, BtfError> {
        let mut members = Vec::new();
        for _ in 0..count {
            let (name, ty, offset) = (self.name()?, self.id()?, self.cursor.u32()?);
            let (bit_offset, bitfield_size) =
                if bitfields { (offset & 0xff_ffff, (offset >> 24) as u8) } else { (offset, 0) };
            members.push(Member { name, ty, bit_offset, bitfield_size });
        }
        Ok(members)
    }

    fn values(&mut self, count: usize, signed: bool, wide: bool) -> Result<Vec<EnumValue>, BtfError> {
        let mut values = Vec::new();
        for _ in 0..count {
            let (name, low) = (self.name()?, self.cursor.u32()?);
            let value = if wide {
                i64::from(low) | i64::from(self.cursor.u32()?) << 32
            } else if signed {
                i64::from(low.cast_signed())
            } else {
                i64::from(low)
            };
            values.push(EnumValue { name, value });
        }
        Ok(values)
    }

    fn parameters(&mut self, count: usize) -> Result<Vec<Parameter>, BtfError> {
        let mut parameters = Vec::new();
        for _ in 0..count {
            parameters.push(Parameter { name: self.name()?, ty: self.id()? });
        }
        Ok(parameters)
    }

    fn entries(&mut self, count: usize) -> Result<Vec<DataEntry>, BtfError> {
        let mut entries = Vec::new();
        for _ in 0..count {
            let variable = self.id()?;
            entries.push(DataEntry { variable, offset: self.cursor.u32()?, size: self.cursor.u32()? });
        }
        Ok(entries)
    }

    fn name(&mut self) -> Result<String, BtfError> {
        let at = self.cursor;
        let offset = self.cursor.u32()?;
        let found = self.strings.get(offset);
        found.map(str::to_owned).ok_or_else(|| at.malformed(format!("there is no string at offset {offset}")))
    }

    fn id(&mut self) -> Result<TypeId, BtfError> {
        self.cursor.u32().map(TypeId)
    }
}
