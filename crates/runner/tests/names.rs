//! Names that are nearly right, completions and man pages.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Desk;

#[test]
fn every_unknown_name_is_answered_with_the_nearest() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--quiet"]);
    desk.write("suite.toml", "descripton = 'x'");
    desk.write("config.toml", "[train]\nepoch = 3");
    let train = "train --data datasets/prepared/tiny --model din";
    for (line, near) in [
        ("trian", "'train'"),
        ("train --modl din", "'--model'"),
        ("train --data . --model dni", "`din`"),
        ("fetch movielens-100", "`movielens-100k`"),
        ("prep amazon-buety", "`amazon-beauty`"),
        ("simulate amazon-electronics", "`amazon-electronics-sim`"),
        ("simulate tinny", "`tiny`"),
        ("reproduce --suite papr", "`paper`"),
        ("reproduce --suite suite.toml", "`description`"),
        (&format!("{train} --preset authers"), "`authors`"),
        (&format!("{train} --config config.toml"), "`epochs`"),
        (&format!("{train} --set model.netwrok.embedding_dim=8"), "`network`"),
        (&format!("{train} --set modle.network.embedding_dim=8"), "`model`"),
        (&format!("{train} --set model.network.activation=dise"), "`dice`"),
        (&format!("{train} --set regularizer=dropuot"), "`dropout`"),
        (&format!("{train} --set regularizer.kind=mbaa"), "`mba`"),
        (&format!("{train} --set train.optimizer.schedule.kind=exponental"), "`exponential`"),
    ] {
        let message = desk.fails(2, &line.split(' ').collect::<Vec<_>>());
        assert!(message.contains(near), "{line}: {message}");
        assert!(
            message.contains("did you mean") || message.contains("similar"),
            "{line}: {message}"
        );
    }
    let message = desk.fails(2, &["fetch", "xyz"]);
    assert!(!message.contains("did you mean"), "{message}");
}

#[test]
fn completions_know_verbs_options_and_models() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = desk.ok(&["completions", shell]);
        for word in ["reproduce", "batch-size", "din-repro"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // Values of options, where the shell's form has them.
        let values = ["bash", "zsh", "fish"].contains(&shell);
        assert!(!values || script.contains("din_dice"), "{shell}");
    }
    // Bash itself takes the script and completes with it.
    desk.write("completions", desk.ok(&["completions", "bash"]));
    let line = "source ./completions; COMP_WORDS=(din-repro tra); COMP_CWORD=1; \
                words=($(complete -p din-repro)); \
                for at in ${!words[@]}; do [ ${words[at]} = -F ] && function=${words[at+1]}; done; \
                $function din-repro tra din-repro; echo ${COMPREPLY[@]}";
    let mut bash = std::process::Command::new("bash");
    match bash.args(["--norc", "-c", line]).current_dir(desk.path("")).output() {
        Ok(output) => assert_eq!(common::text(&output.stdout), "train\n"),
        Err(_) => println!("there is no bash to try it"),
    }
}

#[test]
fn every_verb_has_a_man_page() {
    let desk = Desk::new();
    desk.ok(&["man", "--out", "man/man1"]);
    let page = |name: &str| std::fs::read_to_string(desk.path("man/man1").join(name)).unwrap();
    let overview = page("din-repro.1");
    let help = desk.ok(&["--help"]);
    let (_, verbs) = help.split_once("Commands:\n").unwrap();
    let verbs: Vec<&str> = verbs
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() > 12, "{verbs:?}");
    for verb in verbs {
        assert!(overview.contains(&verb.replace('-', "\\-")), "{verb}");
        let page = page(&format!("din-repro-{verb}.1"));
        assert!(page.contains("Example") && page.contains(".SH OPTIONS"), "{verb}: {page}");
    }
}
