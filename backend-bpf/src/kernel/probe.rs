//! Whether this machine's kernel lets us in.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use super::program::{LoadRequest, load_raw};
use super::{KernelError, sys};
use crate::object::ProgramKind;

/// A kernel's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// The 6 of 6.18.4.
    pub major: u32,
    /// The 18 of 6.18.4.
    pub minor: u32,
    /// The 4 of 6.18.4.
    pub patch: u32,
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl KernelVersion {
    /// Reads the start of what `uname -r` says; parts that are missing count as 0.
    pub fn parse(release: &str) -> Option<Self> {
        let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
        let mut parts = release[..end].split('.');
        let major = parts.next()?.parse().ok()?;
        let mut part = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Some(Self { major, minor: part(), patch: part() })
    }
}

/// Why BPF cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("BPF is not available: {reason}")]
pub struct Unavailable {
    /// The reason, in words.
    pub reason: String,
}

/// A kernel that lets us load programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    version: KernelVersion,
}

/// Keeps the kernel counting programs' runs and their time, until it is dropped.
#[derive(Debug)]
pub struct StatsGuard {
    _fd: OwnedFd,
}

impl Kernel {
    /// Finds out by loading the smallest program there is.
    ///
    /// # Errors
    /// The reason why that does not work.
    pub fn probe() -> Result<Self, Unavailable> {
        let unavailable = |reason: String| Unavailable { reason };
        let release = release().map_err(|error| unavailable(format!("uname fails: {error}")))?;
        let version = KernelVersion::parse(&release)
            .ok_or_else(|| unavailable(format!("`{release}` is no version of Linux")))?;
        // r0 = 0; exit
        let code = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        let request = LoadRequest {
            name: "larrow_probe",
            kind: ProgramKind::SocketFilter,
            attach: 0,
            license: "GPL",
            code: &code,
            tables: None,
        };
        match load_raw(&request, 0, &mut []) {
            Ok(_) => Ok(Self { version }),
            Err(error) => Err(unavailable(reason(&error))),
        }
    }

    /// The kernel's version.
    pub fn version(&self) -> KernelVersion {
        self.version
    }

    /// Has the kernel count runs and their time, for [`ProgramInfo`](super::ProgramInfo), as long as the guard lives.
    ///
    /// # Errors
    /// The kernel is older than 5.8, or refuses.
    pub fn enable_stats(&self) -> Result<StatsGuard, KernelError> {
        let mut attributes = sys::EnableStats { kind: 0 };
        // SAFETY: the attributes hold no address, and the command makes a descriptor.
        let fd = unsafe { sys::bpf_fd(sys::Command::EnableStats, &mut attributes) };
        fd.map(|_fd| StatsGuard { _fd }).map_err(KernelError::call("enabling run statistics"))
    }
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "permission denied; it takes root, or CAP_BPF with CAP_NET_ADMIN and CAP_PERFMON".into()
        }
        Some(libc::ENOSYS) => "the kernel was built without the bpf system call".into(),
        Some(_) | None => error.to_string(),
    }
}

fn release() -> io::Result<String> {
    // SAFETY: all-zero bytes are a valid `utsname`, which is arrays of characters.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `utsname` of ours.
    if unsafe { libc::uname(&raw mut names) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel ends the string with a zero byte inside the array.
    let release = unsafe { CStr::from_ptr(names.release.as_ptr()) };
    Ok(release.to_string_lossy().into_owned())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text| KernelVersion::parse(text).expect("a version");
        assert_eq!(version("6.18.44-fc-v657").to_string(), "6.18.44");
        assert_eq!(version("5.15").to_string(), "5.15.0");
        assert!(version("5.15") < version("6.1.0-rc1"));
        assert!(version("6.9") < version("6.18"));
        assert_eq!(KernelVersion::parse("next"), None);
    }
}
