//! `differential FIRST COUNT`: compares generated programs at every level, in the interpreter after each pass and
//! in the kernel, and prints each mismatch as a runnable `.ssa` file.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::process::ExitCode;

use larrow_tests::differential::check_seed;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|a| a.parse::<u64>());
    let (Some(Ok(first)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
        eprintln!("usage: differential FIRST COUNT");
        return ExitCode::from(2);
    };
    let kernel = match larrow::engine::kernel_version() {
        Ok(version) => {
            eprintln!("kernel {version}");
            true
        }
        Err(why) => {
            eprintln!("without the kernel: {why}");
            false
        }
    };
    let (mut stages, mut refused, mut mismatches) = (0u64, 0, 0u64);
    for seed in first..first + count {
        match check_seed(seed, kernel) {
            Ok(compared) => {
                stages += u64::from(compared.stages);
                refused += compared.refused;
            }
            Err(mismatch) => {
                mismatches += 1;
                println!("{mismatch}");
            }
        }
    }
    println!(
        "; {count} programs, {stages} stages, {refused} refused for stack or paths, {mismatches} mismatches"
    );
    ExitCode::from(u8::from(mismatches > 0))
}
