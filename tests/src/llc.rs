//! LLVM's compiler for BPF beside ours, where this machine has it.

use std::io::{Error, Result, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use larrow_backend_bpf::object::{self, Function, Object, Target};

/// The program. Another release may read another text.
pub const LLC: &str = "llc-19";

/// What every comparison asks of it, short of files.
pub const ARGS: [&str; 4] = ["-O2", "-march=bpf", "-mcpu=v3", "-filetype=obj"];

/// Whether it is there.
pub fn available() -> bool {
    let run = Command::new(LLC).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Compiles LLVM IR text to an object file. `args` replaces [`ARGS`].
///
/// # Errors
/// What it says.
pub fn compile(text: &str, args: &[&str]) -> Result<Vec<u8>> {
    let mut child = Command::new(LLC)
        .args(args)
        .args(["-", "-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let text = text.to_string();
    // It may write before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    let wrote = writer.join().expect("the writer does not panic");
    if !output.status.success() {
        return Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    wrote?;
    Ok(output.stdout)
}

/// How many instructions all functions of an object have, a wide one counted once.
///
/// # Errors
/// Code that is none.
pub fn instructions(object: &Object) -> Result<usize> {
    let mut sum = 0;
    for function in object.functions() {
        sum += larrow_backend_bpf::isa::decode(&function.code).map_err(Error::other)?.len();
    }
    Ok(sum)
}

/// The section that maps are put in for [`graft`], because an object without type information cannot say `.maps`.
const MAPS: &str = ".data.maps";
/// Bytes of a map's definition in the text.
const MAP_BYTES: u32 = 20;

/// Compiles the text of a module and puts the code in place of ours, so that our maps and types go with it and the
/// kernel takes it.
///
/// # Errors
/// What llc says, or that the code refers to what our object lacks.
pub fn graft(ours: &Object, text: &str, args: &[&str]) -> Result<Object> {
    let text = text.replace("section \".maps\"", &format!("section \"{MAPS}\""));
    let theirs = object::read(&compile(&text, args)?).map_err(Error::other)?;
    let mut object = ours.clone();
    let names: Vec<String> = object.subprograms.iter().map(|f| f.name.clone()).collect();
    let sections: Vec<String> = object.globals.iter().map(|g| g.name.clone()).collect();
    let target = |target: &Target| match target {
        Target::GlobalData { section, offset } => {
            let name = &theirs.globals[*section].name;
            if name == MAPS {
                return Ok(Target::Map((offset / MAP_BYTES) as usize));
            }
            let section = sections.iter().position(|s| s == name);
            let section = section.ok_or_else(|| Error::other(format!("no section {name}")))?;
            Ok(Target::GlobalData { section, offset: *offset })
        }
        Target::Subprogram(n) | Target::FunctionAddress(n) => {
            let name = &theirs.subprograms[*n].name;
            let n = names.iter().position(|s| s == name);
            n.map(Target::Subprogram).ok_or_else(|| Error::other(format!("no subprogram {name}")))
        }
        Target::Map(_) | Target::Extern(_) => Err(Error::other("an extern")),
    };
    let programs = object.programs.iter_mut().map(|p| &mut p.function);
    for function in programs.chain(&mut object.subprograms) {
        let found: Option<&Function> = theirs.functions().find(|f| f.name == function.name);
        let found = found.ok_or_else(|| Error::other(format!("no function {}", function.name)))?;
        function.code = found.code.clone();
        function.relocations = found.relocations.clone();
        for relocation in &mut function.relocations {
            relocation.target = target(&relocation.target)?;
        }
        function.lines.truncate(1);
    }
    Ok(object)
}

/// The examples: every `.ssa` file that the README runs, by name.
///
/// # Errors
/// Of the file system.
pub fn examples() -> Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "ssa") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, std::fs::read_to_string(&path)?));
        }
    }
    found.sort();
    Ok(found)
}
