//! Notes the compiler and the versions of the crates that compute, for the run records.

// The way a build script talks to cargo.
#![allow(clippy::print_stdout)]

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=DIN_REPRO_RUSTC={}", version.trim());

    let lock = std::fs::read_to_string("../../Cargo.lock").unwrap_or_default();
    for name in ["dfdx", "gemm", "polars", "pulp"] {
        println!("cargo:rustc-env=DIN_REPRO_{}={}", name.to_uppercase(), locked(&lock, name));
    }
}

/// The version of a package in Cargo.lock.
fn locked(lock: &str, name: &str) -> String {
    let header = format!("name = \"{name}\"");
    lock.lines()
        .skip_while(|line| *line != header)
        .nth(1)
        .and_then(|line| line.split('"').nth(1))
        .unwrap_or("unknown")
        .to_string()
}
