//! `din-repro`, see the library.

fn main() -> std::process::ExitCode {
    ctr_runner::main()
}
