//! The `larrow` command.

fn main() -> std::process::ExitCode {
    larrow::command::main()
}
