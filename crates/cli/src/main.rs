//! The `bitstate` command: see the library beside it.

fn main() -> std::process::ExitCode {
    bitstate_cli::main()
}
