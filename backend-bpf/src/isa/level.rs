//! Instruction set levels and the features they and the kernels bring.
//!
//! The level of a feature is the one from which clang 19 emits it by itself (its assembler takes every instruction at every
//! level); the kernel is the mainline release whose verifier first takes it.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::reg::Width;

/// A level of the instruction set, as clang's `-mcpu` counts them: each includes the ones before.
///
/// `Display` and `FromStr` use `v1` to `v4`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Isa {
    /// 64-bit arithmetic, the first seven conditions, 64-bit atomics.
    V1,
    /// Adds the conditions below and below-or-equal.
    V2,
    /// Adds 32-bit arithmetic and jumps, and the 32-bit atomics beyond `add`.
    V3,
    /// Adds signed division, sign-extending moves and loads, byte swaps, long jumps, immediate stores,
    /// acquire loads and release stores.
    V4,
}

impl Isa {
    /// Every level, ascending.
    pub const ALL: [Isa; 4] = [Isa::V1, Isa::V2, Isa::V3, Isa::V4];

    /// Whether a compiler for this level may emit the feature's instructions.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        feature.isa() <= self
    }

    /// Conditions `<`, `<=`, `s<` and `s<=`; a lower level swaps the operands of `>` and its kin.
    #[must_use]
    pub fn has_jmp_lt(self) -> bool {
        self.has(Feature::JmpLt)
    }

    /// 32-bit arithmetic, which clears the upper half of its destination.
    #[must_use]
    pub fn has_alu32(self) -> bool {
        self.has(Feature::Alu32)
    }

    /// Conditions on lower halves of registers.
    #[must_use]
    pub fn has_jmp32(self) -> bool {
        self.has(Feature::Jmp32)
    }

    /// Atomics of that width beyond `add` without a result, which every level has.
    #[must_use]
    pub fn has_atomics(self, width: Width) -> bool {
        match width {
            Width::W32 => self.has(Feature::Atomics32),
            Width::W64 => self.has(Feature::Atomics64),
        }
    }

    /// Signed division.
    #[must_use]
    pub fn has_sdiv(self) -> bool {
        self.has(Feature::SignedDiv)
    }

    /// Signed remainder.
    #[must_use]
    pub fn has_smod(self) -> bool {
        self.has(Feature::SignedDiv)
    }

    /// Sign-extending moves.
    #[must_use]
    pub fn has_movsx(self) -> bool {
        self.has(Feature::MovSx)
    }

    /// Sign-extending loads.
    #[must_use]
    pub fn has_ldsx(self) -> bool {
        self.has(Feature::LdSx)
    }

    /// Unconditional byte swaps; a lower level has `be`, which swaps on the little-endian target assumed here.
    #[must_use]
    pub fn has_bswap(self) -> bool {
        self.has(Feature::Bswap)
    }

    /// Jumps with a 32-bit offset.
    #[must_use]
    pub fn has_gotol(self) -> bool {
        self.has(Feature::Gotol)
    }

    /// Stores of an immediate, as clang counts them. Kernels take these at every level, so a compiler need not ask.
    #[must_use]
    pub fn has_st_imm(self) -> bool {
        self.has(Feature::StoreImm)
    }

    /// Acquire loads and release stores. They need a far newer kernel than the rest of v4: see [`Feature::kernel`].
    #[must_use]
    pub fn has_acquire_release(self) -> bool {
        self.has(Feature::AcqRel)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::V1 => "v1",
            Isa::V2 => "v2",
            Isa::V3 => "v3",
            Isa::V4 => "v4",
        })
    }
}

/// A name that is no instruction set level.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{name}` is no instruction set level: expected v1, v2, v3 or v4")]
pub struct UnknownIsa {
    /// What was given.
    pub name: String,
}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Isa, UnknownIsa> {
        let found = Isa::ALL.into_iter().find(|isa| isa.to_string() == name);
        found.ok_or_else(|| UnknownIsa { name: name.to_owned() })
    }
}

/// A kernel release, `(major, minor)`; later releases compare greater.
pub type Kernel = (u16, u16);

macro_rules! features {
    ($( $(#[$doc:meta])* $name:ident $isa:ident $kernel:expr; )*) => {
        /// What an instruction asks of its target, beyond being BPF.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Feature {
            $( $(#[$doc])* $name, )*
        }

        impl Feature {
            /// Every feature.
            pub const ALL: &[Feature] = &[$(Feature::$name),*];

            /// The lowest level at which clang emits the feature's instructions (v1 where the level does not matter).
            #[must_use]
            pub const fn isa(self) -> Isa {
                match self { $( Feature::$name => Isa::$isa, )* }
            }

            /// The first kernel release whose verifier takes the feature, or none while no kernel does.
            #[must_use]
            pub const fn kernel(self) -> Option<Kernel> {
                match self { $( Feature::$name => $kernel, )* }
            }
        }
    };
}

features! {
    /// What every BPF target has.
    Base V1 Some((3, 18));
    /// Conditions below and below-or-equal, signed and unsigned.
    JmpLt V2 Some((4, 14));
    /// 32-bit arithmetic. Kernels have had it from the start; only compilers tie it to a level.
    Alu32 V3 Some((3, 18));
    /// 32-bit conditions.
    Jmp32 V3 Some((5, 1));
    /// 64-bit atomics other than `add` without a result: clang emits them at every level.
    Atomics64 V1 Some((5, 12));
    /// 32-bit atomics other than `add` without a result.
    Atomics32 V3 Some((5, 12));
    /// Signed division and remainder.
    SignedDiv V4 Some((6, 6));
    /// Sign-extending moves.
    MovSx V4 Some((6, 6));
    /// Sign-extending loads.
    LdSx V4 Some((6, 6));
    /// Unconditional byte swaps.
    Bswap V4 Some((6, 6));
    /// Jumps with a 32-bit offset.
    Gotol V4 Some((6, 6));
    /// Stores of an immediate: in every kernel, though clang emits them from v4 only.
    StoreImm V4 Some((3, 18));
    /// Acquire loads and release stores.
    AcqRel V4 Some((6, 15));
    /// Calls between BPF functions.
    Subprogram V1 Some((4, 16));
    /// Calls of kernel functions by BTF id.
    Kfunc V1 Some((5, 13));
    /// Calls through a register: in the standard, in no kernel.
    CallX V1 None;
    /// The jump that bounds a loop by the kernel's budget.
    MayGoto V1 Some((6, 9));
    /// Pointer casts between a program's and an arena's address space.
    Arena V1 Some((6, 9));
    /// Addresses inside a map's value.
    MapValue V1 Some((5, 2));
    /// Addresses of kernel variables by BTF id.
    BtfId V1 Some((5, 10));
    /// Addresses of BPF functions, for callbacks.
    FuncPtr V1 Some((5, 13));
    /// Maps by index into the loader's array of descriptors.
    MapIdx V1 Some((5, 14));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_parse_what_they_print_and_nothing_else() {
        for isa in Isa::ALL {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
        let error = "v5".parse::<Isa>().expect_err("there is no v5");
        assert_eq!(error.to_string(), "`v5` is no instruction set level: expected v1, v2, v3 or v4");
        assert!("V1".parse::<Isa>().is_err());
    }

    #[test]
    fn each_level_adds_its_features() {
        let gained = |isa: Isa| Feature::ALL.iter().filter(|f| f.isa() == isa).count();
        assert_eq!(Isa::ALL.map(gained), [11, 1, 3, 7]);
        assert!(Isa::V2.has_jmp_lt() && !Isa::V1.has_jmp_lt());
        assert!(Isa::V3.has_alu32() && Isa::V3.has_jmp32() && !Isa::V2.has_alu32());
        assert!(Isa::V1.has_atomics(Width::W64) && !Isa::V2.has_atomics(Width::W32));
        let v4 =
            [Isa::has_sdiv, Isa::has_smod, Isa::has_movsx, Isa::has_ldsx, Isa::has_bswap, Isa::has_gotol];
        for has in v4 {
            assert!(has(Isa::V4) && !has(Isa::V3));
        }
        assert!(Isa::V4.has_st_imm() && !Isa::V3.has_st_imm() && Isa::V4.has_acquire_release());
    }

    #[test]
    fn immediate_stores_need_a_level_but_no_kernel() {
        assert_eq!(Feature::StoreImm.kernel(), Feature::Base.kernel());
        assert_eq!(Feature::CallX.kernel(), None);
    }
}
