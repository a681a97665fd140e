//! Types to bytes.

use super::{
    Btf, BtfError, DataEntry, EnumValue, IntEncoding, Linkage, Strings, Type, TypeId, VariableLinkage,
};
use super::{Member, Parameter};

pub(super) const MAGIC: u16 = 0xeb9f;
pub(super) const HEADER_LEN: u32 = 24;

/// Whether the kernel takes `name` for a type, member, function or variable: a C identifier in which `.` also counts
/// as a letter, of at most 127 bytes (the limit before Linux 6.1, 511 since).
pub fn is_valid_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b'.';
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|&b| letter(b))
        && bytes.len() < 128
        && bytes.iter().all(|&b| letter(b) || b.is_ascii_digit())
}

impl Btf {
    /// The `.BTF` section: header, types, strings.
    ///
    /// # Errors
    /// Names the kernel would refuse, references to types that are not there, counts past the format's limits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BtfError> {
        self.to_bytes_with(&mut Strings::new())
    }

    /// As [`to_bytes`](Self::to_bytes), with strings that `.BTF.ext` (or a program's line table) already refers to:
    /// everything that is in `strings` now keeps its offset.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes).
    pub fn to_bytes_with(&self, strings: &mut Strings) -> Result<Vec<u8>, BtfError> {
        let mut encoder = Encoder { strings, out: Vec::new(), last: TypeId(self.len() as u32) };
        for (id, ty) in self.iter() {
            encoder.type_(id, ty)?;
        }
        let types = encoder.out;
        let mut bytes = Vec::with_capacity(HEADER_LEN as usize + types.len() + strings.as_bytes().len());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&[1, 0]);
        for word in [HEADER_LEN, 0, types.len() as u32, types.len() as u32, strings.as_bytes().len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&types);
        bytes.extend_from_slice(strings.as_bytes());
        Ok(bytes)
    }
}

/// The kind numbers of the format.
pub(super) mod kind {
    pub(in crate::btf) const INT: u32 = 1;
    pub(in crate::btf) const PTR: u32 = 2;
    pub(in crate::btf) const ARRAY: u32 = 3;
    pub(in crate::btf) const STRUCT: u32 = 4;
    pub(in crate::btf) const UNION: u32 = 5;
    pub(in crate::btf) const ENUM: u32 = 6;
    pub(in crate::btf) const FWD: u32 = 7;
    pub(in crate::btf) const TYPEDEF: u32 = 8;
    pub(in crate::btf) const VOLATILE: u32 = 9;
    pub(in crate::btf) const CONST: u32 = 10;
    pub(in crate::btf) const RESTRICT: u32 = 11;
    pub(in crate::btf) const FUNC: u32 = 12;
    pub(in crate::btf) const FUNC_PROTO: u32 = 13;
    pub(in crate::btf) const VAR: u32 = 14;
    pub(in crate::btf) const DATASEC: u32 = 15;
    pub(in crate::btf) const FLOAT: u32 = 16;
    pub(in crate::btf) const DECL_TAG: u32 = 17;
    pub(in crate::btf) const TYPE_TAG: u32 = 18;
    pub(in crate::btf) const ENUM64: u32 = 19;
}

/// Which characters a name may have.
#[derive(Clone, Copy)]
enum Naming {
    /// A C identifier, `.` included; may be empty where the format allows anonymous types.
    Identifier { required: bool },
    /// Anything printable: base types (`unsigned int`), sections (`xdp/x`), tags (`btf:x`).
    Free,
}

struct Encoder<'a> {
    strings: &'a mut Strings,
    out: Vec<u8>,
    last: TypeId,
}

impl Encoder<'_> {
    fn type_(&mut self, id: TypeId, ty: &Type) -> Result<(), BtfError> {
        const ANONYMOUS: Naming = Naming::Identifier { required: false };
        const NAMED: Naming = Naming::Identifier { required: true };
        match ty {
            Type::Void => return Err(BtfError::Undefined { id }),
            Type::Int { name, size, encoding, bit_offset, bits } => {
                self.head(id, name, Naming::Free, kind::INT, false, 0, *size)?;
                let encoding = match encoding {
                    IntEncoding::Unsigned => 0,
                    IntEncoding::Signed => 1,
                    IntEncoding::Char => 2,
                    IntEncoding::Bool => 4,
                };
                self.word(encoding << 24 | u32::from(*bit_offset) << 16 | u32::from(*bits));
            }
            Type::Pointer { target } => self.reference(id, "", ANONYMOUS, kind::PTR, *target)?,
            Type::Array { element, index, count } => {
                self.head(id, "", ANONYMOUS, kind::ARRAY, false, 0, 0)?;
                self.id(id, *element)?;
                self.id(id, *index)?;
                self.word(*count);
            }
            Type::Struct { name, size, members } => self.composite(id, name, kind::STRUCT, *size, members)?,
            Type::Union { name, size, members } => self.composite(id, name, kind::UNION, *size, members)?,
            Type::Enum { name, size, signed, values } => {
                self.head(id, name, ANONYMOUS, kind::ENUM, *signed, values.len(), *size)?;
                self.enum_values(id, values, false)?;
            }
            Type::Enum64 { name, size, signed, values } => {
                self.head(id, name, ANONYMOUS, kind::ENUM64, *signed, values.len(), *size)?;
                self.enum_values(id, values, true)?;
            }
            Type::Forward { name, is_union } => self.head(id, name, NAMED, kind::FWD, *is_union, 0, 0)?,
            Type::Typedef { name, target } => self.reference(id, name, NAMED, kind::TYPEDEF, *target)?,
            Type::Volatile { target } => self.reference(id, "", ANONYMOUS, kind::VOLATILE, *target)?,
            Type::Const { target } => self.reference(id, "", ANONYMOUS, kind::CONST, *target)?,
            Type::Restrict { target } => self.reference(id, "", ANONYMOUS, kind::RESTRICT, *target)?,
            Type::Function { name, prototype, linkage } => {
                let linkage = match linkage {
                    Linkage::Static => 0,
                    Linkage::Global => 1,
                    Linkage::Extern => 2,
                };
                self.check(id, *prototype)?;
                self.head(id, name, NAMED, kind::FUNC, false, linkage, prototype.0)?;
            }
            Type::FunctionProto { result, parameters } => {
                self.check(id, *result)?;
                self.head(id, "", ANONYMOUS, kind::FUNC_PROTO, false, parameters.len(), result.0)?;
                self.parameters(id, parameters)?;
            }
            Type::Variable { name, ty, linkage } => {
                self.reference(id, name, NAMED, kind::VAR, *ty)?;
                self.word(match linkage {
                    VariableLinkage::Static => 0,
                    VariableLinkage::Global => 1,
                    VariableLinkage::Extern => 2,
                });
            }
            Type::DataSection { name, size, entries } => {
                self.head(id, name, Naming::Free, kind::DATASEC, false, entries.len(), *size)?;
                self.data_entries(id, entries)?;
            }
            Type::Float { name, size } => self.head(id, name, Naming::Free, kind::FLOAT, false, 0, *size)?,
            Type::DeclTag { name, target, component } => {
                self.reference(id, name, Naming::Free, kind::DECL_TAG, *target)?;
                self.word(component.cast_unsigned());
            }
            Type::TypeTag { name, target } => {
                self.reference(id, name, Naming::Free, kind::TYPE_TAG, *target)?;
            }
        }
        Ok(())
    }

    fn composite(
        &mut self,
        id: TypeId,
        name: &str,
        kind: u32,
        size: u32,
        members: &[Member],
    ) -> Result<(), BtfError> {
        let bitfields = members.iter().any(|m| m.bitfield_size != 0);
        let naming = Naming::Identifier { required: false };
        self.head(id, name, naming, kind, bitfields, members.len(), size)?;
        for member in members {
            self.name(id, &member.name, naming)?;
            self.id(id, member.ty)?;
            if bitfields && member.bit_offset >> 24 != 0 {
                let what = "a structure with bit fields reaches 2^24 bits";
                return Err(BtfError::OutOfRange { id, what });
            }
            self.word(u32::from(member.bitfield_size) << 24 | member.bit_offset);
        }
        Ok(())
    }

    fn enum_values(&mut self, id: TypeId, values: &[EnumValue], wide: bool) -> Result<(), BtfError> {
        for value in values {
            self.name(id, &value.name, Naming::Identifier { required: true })?;
            if !wide && i32::try_from(value.value).is_err() && u32::try_from(value.value).is_err() {
                return Err(BtfError::OutOfRange {
                    id,
                    what: "an enumeration's value needs more than 32 bits",
                });
            }
            self.word(value.value as u32);
            if wide {
                self.word((value.value >> 32) as u32);
            }
        }
        Ok(())
    }

    fn parameters(&mut self, id: TypeId, parameters: &[Parameter]) -> Result<(), BtfError> {
        for parameter in parameters {
            self.name(id, &parameter.name, Naming::Identifier { required: false })?;
            self.id(id, parameter.ty)?;
        }
        Ok(())
    }

    fn data_entries(&mut self, id: TypeId, entries: &[DataEntry]) -> Result<(), BtfError> {
        for entry in entries {
            self.id(id, entry.variable)?;
            self.word(entry.offset);
            self.word(entry.size);
        }
        Ok(())
    }

    fn reference(
        &mut self,
        id: TypeId,
        name: &str,
        naming: Naming,
        kind: u32,
        target: TypeId,
    ) -> Result<(), BtfError> {
        self.check(id, target)?;
        self.head(id, name, naming, kind, false, 0, target.0)
    }

    /// The 12 bytes that every type starts with.
    fn head(
        &mut self,
        id: TypeId,
        name: &str,
        naming: Naming,
        kind: u32,
        flag: bool,
        count: usize,
        size_or_type: u32,
    ) -> Result<(), BtfError> {
        let count16 = u16::try_from(count).map_err(|_| BtfError::TooMany { id, count })?;
        self.name(id, name, naming)?;
        self.word(u32::from(flag) << 31 | kind << 24 | u32::from(count16));
        self.word(size_or_type);
        Ok(())
    }

    fn name(&mut self, id: TypeId, name: &str, naming: Naming) -> Result<(), BtfError> {
        let valid = match naming {
            Naming::Identifier { required } => (name.is_empty() && !required) || is_valid_name(name),
            Naming::Free => !name.is_empty() && name.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
        };
        if !valid {
            return Err(BtfError::BadName { id, name: name.into() });
        }
        let offset = self.strings.intern(name);
        self.word(offset);
        Ok(())
    }

    fn id(&mut self, id: TypeId, target: TypeId) -> Result<(), BtfError> {
        self.check(id, target)?;
        self.word(target.0);
        Ok(())
    }

    fn check(&self, id: TypeId, target: TypeId) -> Result<(), BtfError> {
        if target > self.last {
            return Err(BtfError::DanglingReference { id, target, last: self.last });
        }
        Ok(())
    }

    fn word(&mut self, word: u32) {
        self.out.extend_from_slice(&word.to_le_bytes());
    }
}
