//! Sources whose rows were given: MovieLens in all its forms, AmazonElectronics_x1, the Taobao ads and a
//! user's own tables. Each is made small by hand, prepared, written and opened again.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly")]

mod common;

use common::{public_data, survives_shards};
use ctr_core::{Dataset, EventColumn, Protocol, Split};
use ctr_dataset_prep::{HistoryRule, PrepOptions, Prepared, open, prepare};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A folder with files.
fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn options(id: &str, raw: &Path) -> PrepOptions {
    PrepOptions::new(id, raw, Protocol::HeldOut)
}

fn message(id: &str, files: &[(&str, String)]) -> String {
    let raw = folder(files);
    prepare(&options(id, raw.path())).unwrap_err().to_string()
}

/// The prepared data must be the same after writing and opening.
fn survives(prepared: &Prepared) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("prepared");
    prepared.write(&out).unwrap();
    for protocol in [Protocol::HeldOut, Protocol::Authors] {
        let opened = open(&out, Some(protocol)).unwrap();
        assert_eq!(opened, prepared.dataset(protocol).unwrap());
    }
    survives_shards(prepared);
}

fn hash(prepared: &Prepared) -> &str {
    &prepared.manifest().content_sha256
}

/// (user, time, movie, rating): 12 users with eight ratings each, several in one second.
fn ratings() -> Vec<(u32, u32, u32, f64)> {
    (0..96u32)
        .map(|row| {
            let (user, number) = (row / 8, row % 8);
            (
                100 + user,
                1000 * user + number / 3,
                1 + (row * 7) % 11,
                1.0 + f64::from((row * 5) % 9) / 2.0,
            )
        })
        .collect()
}

const GENRES: [&str; 4] = ["Action", "Comedy", "Drama", "Western"];

/// Genres of a movie: up to two.
fn genres(movie: u32) -> Vec<&'static str> {
    (0..movie % 3).map(|step| GENRES[((movie + 2 * step) % 4) as usize]).collect()
}

/// The same ratings in a release's form.
fn movielens(form: &str, rows: &[(u32, u32, u32, f64)]) -> Vec<(&'static str, String)> {
    let line = |between: &str, (user, time, movie, rating): &(u32, u32, u32, f64)| {
        [user.to_string(), movie.to_string(), rating.to_string(), time.to_string()].join(between)
    };
    let lines =
        |between: &str| rows.iter().map(|row| line(between, row) + "\n").collect::<String>();
    let movies = |write: &dyn Fn(u32) -> String| (1..=12).map(write).collect::<String>();
    match form {
        "csv" => vec![
            ("ratings.csv", format!("userId,movieId,rating,timestamp\n{}", lines(","))),
            (
                "movies.csv",
                "movieId,title,genres\n".to_string()
                    + &movies(&|movie| {
                        format!("{movie},\"Movie, {movie}\",{}\n", genres(movie).join("|"))
                    }),
            ),
        ],
        "dat" => vec![
            ("ratings.dat", lines("::")),
            (
                "movies.dat",
                movies(&|movie| format!("{movie}::Movie, {movie}::{}\n", genres(movie).join("|"))),
            ),
        ],
        "flags" => {
            let names = [
                "unknown",
                "Action",
                "Adventure",
                "Animation",
                "Children's",
                "Comedy",
                "Crime",
                "Documentary",
                "Drama",
                "Fantasy",
                "Film-Noir",
                "Horror",
                "Musical",
                "Mystery",
                "Romance",
                "Sci-Fi",
                "Thriller",
                "War",
                "Western",
            ];
            let item = |movie: u32| {
                let flags = names.map(|name| if genres(movie).contains(&name) { "1" } else { "0" });
                format!("{movie}|Movie, {movie}|01-Jan-1995||http://x|{}\n", flags.join("|"))
            };
            vec![("u.data", lines("\t")), ("u.item", movies(&item))]
        }
        _ => vec![
            (
                "x.inter",
                format!(
                    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n{}",
                    lines("\t")
                ),
            ),
            (
                "x.item",
                "item_id:token\tmovie_title:token_seq\tclass:token_seq\n".to_string()
                    + &movies(&|movie| {
                        format!("{movie}\tMovie, {movie}\t{}\n", genres(movie).join(" "))
                    }),
            ),
        ],
    }
}

/// Key of an id.
fn ids(column: &EventColumn, event: usize) -> &[u32] {
    column.event(event)
}

#[test]
fn every_form_of_movielens_gives_the_same_dataset() {
    let mut hashes = BTreeSet::new();
    for form in ["csv", "dat", "flags", "recbole"] {
        let raw = folder(&movielens(form, &ratings()));
        let prepared = prepare(&options("movielens-1m", raw.path())).unwrap();
        survives(&prepared);
        hashes.insert(hash(&prepared).to_string());
    }
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

#[test]
fn a_history_is_what_the_user_liked_before_and_users_are_divided() {
    let rows = ratings();
    let raw = folder(&movielens("csv", &rows));
    for rule in [HistoryRule::Liked, HistoryRule::All] {
        let options = PrepOptions { history: Some(rule), ..options("movielens-1m", raw.path()) };
        let prepared = prepare(&options).unwrap();
        let counts = &prepared.manifest().counts;
        assert_eq!((counts["users"], counts["samples"], counts["items_listed"]), (12, 96, 12));
        let dataset = prepared.dataset(Protocol::HeldOut).unwrap();
        assert_eq!(dataset.history_limit, Some(50));
        let mut parts: BTreeMap<u32, Split> = BTreeMap::new();
        let mut seen = 0;
        for split in Split::ALL {
            let samples = dataset.split(split);
            for row in 0..samples.rows() {
                let user = samples.users[row];
                assert_eq!(
                    *parts.entry(user).or_insert(split),
                    split,
                    "user {user} is in two parts"
                );
                // Users' keys are equally long numbers, so their order is that of numbers.
                let own: Vec<_> = rows.iter().filter(|rating| rating.0 == 100 + user).collect();
                let history = samples.history_lengths[row] as usize;
                let start = dataset.sequences.offsets[user as usize] as usize;
                // Which rating is it? One of those whose number of earlier ones fits.
                let liked =
                    |rating: &&(u32, u32, u32, f64)| rule == HistoryRule::All || rating.3 >= 4.0;
                let fits = own.iter().any(|rating| {
                    let earlier: Vec<_> =
                        own.iter().filter(|other| other.1 < rating.1).copied().collect();
                    let earlier: Vec<_> = earlier.into_iter().filter(liked).collect();
                    samples.labels[row] == u8::from(rating.3 >= 4.0) && earlier.len() == history
                });
                assert!(fits, "row {row} of {split:?}");
                for event in start..start + history {
                    let bag = ids(&dataset.sequences.fields[1], event);
                    assert!(bag.windows(2).all(|pair| pair[0] < pair[1]));
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 96);
        let count = |wanted| parts.values().filter(|&&split| split == wanted).count();
        // 100,000 of 138,493 users, and a tenth of them.
        assert_eq!((count(Split::Train), count(Split::Validation), count(Split::Test)), (8, 1, 3));
        let authors = prepared.dataset(Protocol::Authors).unwrap();
        assert_eq!(authors.train.rows(), dataset.train.rows() + dataset.validation.rows());
        assert_eq!(authors.test, dataset.test);
    }
}

#[test]
fn a_shuffled_file_gives_the_same_dataset_and_another_seed_other_users() {
    let mut rows = ratings();
    let first = prepare(&options("movielens-1m", folder(&movielens("dat", &rows)).path())).unwrap();
    rows.reverse();
    rows.rotate_left(31);
    let raw = folder(&movielens("dat", &rows));
    let second = prepare(&options("movielens-1m", raw.path())).unwrap();
    assert_eq!(hash(&first), hash(&second));
    let other = PrepOptions { seed: 7, ..options("movielens-1m", raw.path()) };
    assert_ne!(hash(&prepare(&other).unwrap()), hash(&first));
}

#[test]
fn bad_ratings_are_named() {
    let change = |form: &str, file: usize, from: &str, to: &str| {
        let mut files = movielens(form, &ratings());
        assert!(files[file].1.contains(from), "{}", files[file].1);
        files[file].1 = files[file].1.replacen(from, to, 1);
        message("movielens-1m", &files)
    };
    let found = change("csv", 0, "100,1,1,0", "100,1,x,0");
    assert!(found.contains("ratings.csv, line 2, field rating: \"x\" is not a number"), "{found}");
    let found = change("csv", 0, "100,1,1,0", "100,99,1,0");
    assert!(found.contains("line 2, field movieId: movie \"99\" is not in"), "{found}");
    let found = change("dat", 0, "100::1::1::0", "100::1::1");
    assert!(found.contains("line 1: 3 fields, expected 4"), "{found}");
    let found = change("dat", 0, "100::1::1::0", "100::1::1::0.5");
    assert!(found.contains("field timestamp: 0.5 is not a time"), "{found}");
    let found = change("flags", 1, "|1", "|2");
    assert!(found.contains("is neither 0 nor 1"), "{found}");
    let found = change("recbole", 0, "rating:float", "stars:float");
    assert!(found.contains("x.inter, line 1, field rating: missing column"), "{found}");
    assert!(message("movielens-1m", &[]).contains("no ratings found"));
    let both: Vec<_> = ["csv", "dat"].iter().flat_map(|form| movielens(form, &ratings())).collect();
    assert!(message("movielens-1m", &both).contains("more than one form"));
}

/// Rows as AmazonElectronics_x1 has them: three users with 4 events, negatives 90 and up.
fn x1() -> Vec<(&'static str, String)> {
    let header = "label,user_id,item_id,cate_id,item_history,cate_history\n";
    let (mut train, mut test) = (header.to_string(), header.to_string());
    for user in 0..3 {
        let events: Vec<u32> = (0..5).map(|event| 10 * user + event).collect();
        for k in 1..5 {
            let join = |values: &[u32]| {
                values.iter().map(ToString::to_string).collect::<Vec<_>>().join("^")
            };
            let cates: Vec<u32> = events[..k].iter().map(|event| event % 4).collect();
            for (label, good) in [(1, events[k]), (0, 90 + user)] {
                let line = format!(
                    "{label},{user},{good},{},{},{}\n",
                    good % 4,
                    join(&events[..k]),
                    join(&cates)
                );
                if k == 4 { &mut test } else { &mut train }.push_str(&line);
            }
        }
    }
    vec![("train.csv", train), ("test.csv", test)]
}

#[test]
fn the_authors_own_rows_are_imported_as_they_are() {
    let raw = folder(&x1());
    let prepared = prepare(&options("amazon-electronics-x1", raw.path())).unwrap();
    survives(&prepared);
    let authors = prepared.dataset(Protocol::Authors).unwrap();
    assert_eq!((authors.train.rows(), authors.validation.rows(), authors.test.rows()), (18, 0, 6));
    let held_out = prepared.dataset(Protocol::HeldOut).unwrap();
    assert_eq!((held_out.train.rows(), held_out.validation.rows()), (12, 6));
    // Validation has the last but one event.
    assert!(held_out.validation.history_lengths.iter().all(|&length| length == 3));
    assert!(authors.test.history_lengths.iter().all(|&length| length == 4));
    assert_eq!(authors.sequences.offsets, [0, 4, 8, 12]);
    assert_eq!(prepared.manifest().counts["goods"], 18);

    let mut files = x1();
    files[0].1 = files[0].1.replacen("0^1,", "0^2,", 1);
    let found = message("amazon-electronics-x1", &files);
    assert!(found.contains("field item_history: event 2 differs"), "{found}");
    let mut files = x1();
    files[1].1 = files[1].1.replacen("0^1^2^3\n", "0^1^2\n", 1);
    let found = message("amazon-electronics-x1", &files);
    assert!(found.contains("3 categories for 4 goods"), "{found}");
}

/// Eight days of impressions of five users, and a log of 600 behaviors before and among them.
fn taobao() -> Vec<(&'static str, String)> {
    // 8 May 2017, midnight in China.
    let begin = 1_494_172_800u64;
    let mut samples = "user,time_stamp,adgroup_id,pid,nonclk,clk\n".to_string();
    for row in 0..80u64 {
        let (user, time) = (1 + row % 5, begin + row / 10 * 86_400 + (row % 10) * 4000);
        let click = u64::from(row % 7 == 0 || row == 74);
        samples += &format!("{user},{time},{},430548_1007,{},{click}\n", 200 + row % 6, 1 - click);
    }
    let mut log = "user,time_stamp,btag,cate,brand\n".to_string();
    for row in 0..600u64 {
        let time = begin - 86_400 + row * 1100;
        log += &format!("{},{time},pv,{},{}\n", 1 + row * 3 % 7, 1 + row % 9, 1000 + row % 13);
    }
    let ads: String = (200..207)
        .map(|ad| {
            format!(
                "{ad},{},{},{},{},{}.5\n",
                1 + ad % 9,
                ad * 2,
                ad * 3,
                if ad == 203 { "NULL".into() } else { (1000 + ad % 13).to_string() },
                ad
            )
        })
        .collect();
    let users: String = (1..5).map(|user| format!("{user},{user},3,2,4,,3,0,\n")).collect();
    vec![
        ("raw_sample.csv", samples),
        ("behavior_log.csv", log),
        ("ad_feature.csv", format!("adgroup_id,cate_id,campaign_id,customer,brand,price\n{ads}")),
        (
            "user_profile.csv",
            format!(
                "userid,cms_segid,cms_group_id,final_gender_code,age_level,pvalue_level,shopping_level,occupation,new_user_class_level \n{users}"
            ),
        ),
    ]
}

#[test]
fn ads_of_taobao_see_only_what_came_before_whatever_the_memory() {
    let files = taobao();
    let raw = folder(&files);
    let mut hashes = BTreeSet::new();
    for memory_limit in [1, 4096, 1 << 30] {
        let options = PrepOptions { memory_limit, ..options("taobao-ad", raw.path()) };
        let prepared = prepare(&options).unwrap();
        survives(&prepared);
        hashes.insert(hash(&prepared).to_string());
        let dataset = prepared.dataset(Protocol::HeldOut).unwrap();
        assert_eq!(
            (dataset.train.rows(), dataset.validation.rows(), dataset.test.rows()),
            (60, 10, 10)
        );
        let names: Vec<&str> =
            dataset.schema.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["behaviors", "user_profile", "candidate", "context"]);
        check_taobao_histories(&dataset, &files[0].1, &files[1].1, 50);
        assert_eq!(prepared.manifest().counts["behaviors"], 600);
    }
    assert_eq!(hashes.len(), 1);
    let short = PrepOptions { history_limit: Some(3), ..options("taobao-ad", raw.path()) };
    let dataset = prepare(&short).unwrap().dataset(Protocol::HeldOut).unwrap();
    check_taobao_histories(&dataset, &files[0].1, &files[1].1, 3);
}

/// The multiset of all histories' categories, found anew by reading the text.
fn check_taobao_histories(dataset: &Dataset, samples: &str, log: &str, limit: usize) {
    let numbers = |line: &str| -> Vec<u64> {
        line.split(',').map(|text| text.parse().unwrap_or_default()).collect()
    };
    let log: Vec<Vec<u64>> = log.lines().skip(1).map(numbers).collect();
    let mut expected: Vec<(u64, Vec<u64>)> = samples
        .lines()
        .skip(1)
        .map(numbers)
        .map(|row| {
            let mut before: Vec<u64> = log
                .iter()
                .filter(|event| event[0] == row[0] && event[1] < row[1])
                .map(|event| event[3])
                .collect();
            before.drain(..before.len().saturating_sub(limit));
            (row[0], before)
        })
        .collect();
    let mut found = Vec::new();
    let mut batch = ctr_core::Batch::default();
    for split in Split::ALL {
        let samples = dataset.split(split);
        for row in 0..samples.rows() {
            dataset.fill_batch(split, &[row as u32], None, &mut batch);
            // Categories 1 to 9 are in the byte order of their keys.
            let categories =
                batch.groups[0].fields[0].ids.iter().map(|&id| u64::from(id)).collect();
            found.push((u64::from(samples.users[row]) + 1, categories));
        }
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// A log of a shop in the user's own columns.
fn shop(description: &str) -> Vec<(&'static str, String)> {
    let mut log = "who,what,when,bought,sex,part,hist\n".to_string();
    for row in 0..60u32 {
        let part = ["train", "valid", "test"][(row / 40 + row / 50) as usize];
        let history: Vec<String> =
            (0..row % 4).map(|event| format!("i{}", (row + event) % 5)).collect();
        log += &format!(
            "u{},i{},{},{},{},{part},{}\n",
            row % 6,
            row % 5,
            row / 2,
            u32::from(row % 3 == 0),
            ["f", "m", ""][(row % 3) as usize],
            history.join("^")
        );
    }
    let items: String =
        (0..5).map(|item| format!("i{item}\tb{}\tt1|t{item}\n", item % 2)).collect();
    vec![
        ("dataset.toml", description.to_string()),
        ("log.csv", log),
        ("items.tsv", format!("what\tbrand\ttags\n{items}")),
    ]
}

const SHOP: &str = r#"id = "my-shop"
rows = ["log.csv"]
user = "who"
label = "bought"
time = "when"
candidate = ["what", "brand", "tags|"]
user_profile = ["sex"]
history = "liked"
behaviors = ["what", "tags"]
split = "time"
[items]
file = "items.tsv"
key = "what"
"#;

fn shop_dataset(description: &str) -> Dataset {
    let raw = folder(&shop(description));
    let prepared = prepare(&options("custom", raw.path())).unwrap();
    survives(&prepared);
    prepared.dataset(Protocol::HeldOut).unwrap()
}

#[test]
fn own_tables_become_a_dataset_by_a_short_description() {
    assert!(SHOP.lines().count() <= 20);
    let dataset = shop_dataset(SHOP);
    assert_eq!(dataset.id, "my-shop");
    assert_eq!(dataset.split_rule, "time");
    assert_eq!((dataset.train.rows(), dataset.validation.rows(), dataset.test.rows()), (48, 6, 6));
    let candidate = &dataset.schema.groups[2];
    assert_eq!(candidate.fields.len(), 3);
    assert_eq!(dataset.schema.groups[0].fields.len(), 2);
    assert!(dataset.train.groups[2][2].offsets.len() == 49);

    let by_users = shop_dataset(&SHOP.replace("\"time\"\n[", "\"users\"\ntest = 0.5\n["));
    assert_eq!(by_users.test.rows(), 30);
    let last = shop_dataset(&SHOP.replace("\"time\"\n[", "\"last\"\n["));
    assert_eq!((last.validation.rows(), last.test.rows()), (6, 6));
    let column =
        SHOP.replace("split = \"time\"\n", "split = \"column\"\nsplit_column = \"part\"\n");
    let column = shop_dataset(&column);
    assert_eq!((column.train.rows(), column.validation.rows(), column.test.rows()), (40, 10, 10));
}

#[test]
fn histories_may_come_as_columns_and_files_in_parts() {
    let description = SHOP.replace(
        "history = \"liked\"\nbehaviors = [\"what\", \"tags\"]",
        "history = \"columns\"\nhistory_columns = [\"hist^\"]\nbehaviors = [\"what\"]",
    );
    let dataset = shop_dataset(&description);
    // Row 59 asks u5 about i4 after i4, i0, i1.
    let (mut batch, test) = (ctr_core::Batch::default(), &dataset.test);
    let row = (0..test.rows()).find(|&row| test.users[row] == 5).unwrap();
    dataset.fill_batch(Split::Test, &[row as u32], None, &mut batch);
    assert_eq!(batch.groups[0].fields[0].ids, [5, 1, 2]);

    let whole = folder(&shop(&description));
    let mut files = shop(&description.replace("[\"log.csv\"]", "[\"a.csv\", \"b.csv\"]"));
    let lines: Vec<String> = files[1].1.lines().map(|line| format!("{line}\n")).collect();
    // Both files have the header, and the second comes first.
    files.push(("a.csv", lines[0].clone() + &lines[31..].concat()));
    files.push(("b.csv", lines[..31].concat()));
    let parts = folder(&files);
    let hash_of = |raw: PathBuf| hash(&prepare(&options("custom", &raw)).unwrap()).to_string();
    assert_eq!(hash_of(whole.path().join("dataset.toml")), hash_of(parts.path().to_path_buf()));
}

#[test]
fn wrong_descriptions_are_named() {
    for (from, to, part) in [
        ("user = \"who\"\n", "", "missing field `user`"),
        ("bought\"", "bough\"", "log.csv, line 1, field bough: missing column"),
        ("[\"log.csv\"]", "[]", "field rows: no files"),
        ("\"time\"\n[", "\"random\"\n[", "dataset.toml, line 10"),
        ("time = \"when\"\n", "", "field time: missing"),
        ("\"brand\"", "\"brnd\"", "field brnd: missing column"),
        (
            "behaviors = [\"what\"",
            "behaviors = [\"sex\"",
            "\"sex\" is not among the candidate's columns",
        ),
        ("split = \"time\"", "split = \"time\"\ntest = 1.5", "field test: 1.5 is not between"),
        ("split = \"time\"", "split = \"column\"", "field split_column: does not fit split"),
        (
            "history = \"liked\"",
            "history = \"columns\"",
            "field history_columns: 0 columns, expected 2",
        ),
        ("label = \"bought\"", "label = \"when\"", "field when: 2 is neither 0 nor 1"),
        ("label = \"bought\"", "label = \"who\"", "\"u0\" is not a number"),
        ("id = \"my-shop\"", "id = \"../x\"", "field id: not a plain name"),
        ("id = \"my-shop\"", "ident = \"x\"", "line 1: unknown field `ident`"),
    ] {
        assert!(SHOP.contains(from), "{from}");
        let found = message("custom", &shop(&SHOP.replacen(from, to, 1)));
        assert!(found.contains(part), "{part}: {found}");
    }
    let labels = SHOP.replace("label = \"bought\"", "label = \"when\"\npositive_from = 99.0");
    let found = message("custom", &shop(&labels));
    assert!(found.contains("all rows have the same label"), "{found}");
}

#[test]
fn a_real_log_of_ads_is_read_by_a_description() {
    let Some(sample) = public_data("alimama-dmr-sample") else { return };
    let description = format!(
        r#"id = "ads"
rows = ["{}"]
user = "user_id"
label = "clk"
user_profile = ["final_gender_code", "age_level"]
candidate = ["adgroup_id", "cate_id", "brand"]
context = ["pid"]
history = "none"
split = "users"
"#,
        sample.join("samples.csv.gz").display()
    );
    let raw = folder(&[("dataset.toml", description)]);
    let prepared = prepare(&options("custom", raw.path())).unwrap();
    survives(&prepared);
    let counts = &prepared.manifest().counts;
    let found = ["samples", "users", "goods", "positives"].map(|name| counts[name]);
    assert_eq!(found, [500, 230, 297, 210]);
}

/// The same lines in another order, ended as on Windows, behind a byte order mark, without a last line end.
fn disturbed(name: &str, text: &str) -> String {
    if name.ends_with(".toml") {
        return text.into();
    }
    let headless = [".dat", ".data", "u.item"].iter().any(|ending| name.ends_with(ending));
    let (header, body) = match text.split_once('\n') {
        Some((header, body)) if !headless => (vec![header], body),
        _ => (vec![], text),
    };
    let mut lines: Vec<&str> = body.lines().rev().collect();
    let middle = lines.len() / 3;
    lines.rotate_left(middle);
    format!("\u{feff}{}", [header, lines].concat().join("\r\n"))
}

#[test]
fn neither_the_order_of_lines_nor_their_ends_matter_in_any_source() {
    let columns = SHOP.replace(
        "history = \"liked\"\nbehaviors = [\"what\", \"tags\"]",
        "history = \"columns\"\nhistory_columns = [\"hist^\"]\nbehaviors = [\"what\"]",
    );
    for (id, files) in [
        ("movielens-1m", movielens("csv", &ratings())),
        ("movielens-1m", movielens("dat", &ratings())),
        ("movielens-100k", movielens("flags", &ratings())),
        ("movielens-100k", movielens("recbole", &ratings())),
        ("amazon-electronics-x1", x1()),
        ("taobao-ad", taobao()),
        ("custom", shop(SHOP)),
        ("custom", shop(&columns)),
    ] {
        let changed: Vec<_> =
            files.iter().map(|(name, text)| (*name, disturbed(name, text))).collect();
        assert_ne!(files, changed);
        let hash_of = |files: &[(&str, String)]| {
            let raw = folder(files);
            hash(&prepare(&options(id, raw.path())).unwrap()).to_string()
        };
        assert_eq!(hash_of(&files), hash_of(&changed), "{id}: {}", files[0].0);
    }
}
