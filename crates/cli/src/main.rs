//! The `bitstate` command: see `lib.rs`.

fn main() -> std::process::ExitCode {
    bitstate_cli::main()
}
