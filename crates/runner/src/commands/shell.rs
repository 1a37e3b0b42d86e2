//! `completions` and `man`: what a shell and `man` want to know, from the same source as `--help`.

use crate::cli::{Cli, CompletionsArguments, ManArguments};
use crate::output;
use anyhow::{Context, Result};
use clap::CommandFactory;
use ctr_core::write_atomic;

/// The name that this program was built under: a program of one's own with its model is not `din-repro`.
fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(|path| path.file_stem());
    name.map_or_else(|| "din-repro".into(), |name| name.to_string_lossy().into_owned())
}

pub fn completions(arguments: &CompletionsArguments) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), program(), &mut script);
    output::result(&String::from_utf8(script)?)
}

pub fn man(arguments: &ManArguments) -> Result<()> {
    let out = &arguments.out;
    std::fs::create_dir_all(out)
        .with_context(|| format!("cannot make the folder {}", out.display()))?;
    let mut program =
        Cli::command().bin_name(program()).display_name(program()).disable_help_subcommand(true);
    program.build();
    let verbs: Vec<clap::Command> = program.get_subcommands().cloned().collect();
    let of_verbs: Vec<clap::Command> =
        verbs.iter().flat_map(clap::Command::get_subcommands).cloned().collect();
    let mut written = 0;
    for command in std::iter::once(program).chain(verbs).chain(of_verbs) {
        let page = clap_mangen::Man::new(command);
        let mut text = Vec::new();
        page.render(&mut text)?;
        write_atomic(&out.join(page.get_filename()), &text)?;
        written += 1;
    }
    output::result(&format!("{written} pages in {}", out.display()))
}
