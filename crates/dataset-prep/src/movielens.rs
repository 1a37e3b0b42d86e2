//! MovieLens as the paper uses it (section 6.1): will the user rate a movie above 3?
//!
//! | question | here | why |
//! |---|---|---|
//! | what is a positive? | a rating of 4 or more | the paper says "rating of 4 and 5" and also "above 3"; the release has half stars, and 4 gives about half positives |
//! | who trains? | a random share of users, 100,000 of 138,493 as in the paper; the others are test | section 6.1 |
//! | who chooses? | a tenth of the training users, under the protocol `held-out` | the paper has no validation |
//! | what is a history? | the movies that the user rated 4 or more before the moment of the rating (`--history all`: all that were rated) | the paper does not say; a behavior is something liked |
//! | how long? | the latest 50 (`--history-limit`) | the paper does not say |
//! | genres? | several for a movie, of every event and of the candidate | table 2 counts them as categories |
//!
//! A user rates many movies in one second; none of these is in the history of another.

use crate::assemble::{Division, Histories, RawField, RawGroup, RawRows};
use crate::inputs;
use crate::prepare::{HistoryRule, PrepOptions, SourceRows};
use crate::raw::Interner;
use crate::records::{Records, Separator};
use crate::{Error, Result};
use ctr_core::{Cardinality, Role};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Users for training in the paper, and users of its release.
const TRAINING_SHARE: f64 = 100_000.0 / 138_493.0;
/// Of the training users, those that choose under the protocol `held-out`.
const VALIDATION_SHARE: f64 = 0.1;
/// Ratings from here on are positive.
const POSITIVE_FROM: f64 = 4.0;
/// Latest events of a history unless another limit is asked for.
const HISTORY_LIMIT: u32 = 50;

/// Genres in the order of the flags in `u.item`.
const GENRES_100K: [&str; 19] = [
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

/// The published forms of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    /// `ratings.csv`, `movies.csv`: 20M, 25M and later.
    Csv,
    /// `ratings.dat`, `movies.dat`: 1M and 10M.
    Dat,
    /// `u.data`, `u.item`: 100K.
    Flags,
    /// RecBole's `.inter` and `.item`, whose headers carry types.
    RecBole,
}

/// Finds ratings and movies in a folder.
fn find(folder: &Path) -> Result<(Release, PathBuf, PathBuf)> {
    let names = inputs::names(folder)?;
    let mut found = Vec::new();
    for (release, ratings, movies) in [
        (Release::Csv, "ratings.csv", "movies.csv"),
        (Release::Dat, "ratings.dat", "movies.dat"),
        (Release::Flags, "u.data", "u.item"),
        (Release::RecBole, ".inter", ".item"),
    ] {
        // The endings of RecBole's files stand after the dataset's name.
        let fits = |name: &String, wanted: &str| match release {
            Release::RecBole => name.ends_with(wanted),
            _ => name == wanted || name.strip_suffix(".gz") == Some(wanted),
        };
        let file = |wanted: &str| names.iter().find(|name| fits(name, wanted));
        if let (Some(ratings), Some(movies)) = (file(ratings), file(movies)) {
            found.push((release, folder.join(ratings), folder.join(movies)));
        }
    }
    match (found.len(), found.pop()) {
        (1, Some(found)) => Ok(found),
        (0, _) => Err(Error::Files {
            folder: folder.to_path_buf(),
            problem: "no ratings found".into(),
            remedy: "expected ratings.csv and movies.csv, ratings.dat and movies.dat, u.data and u.item, \
                     or RecBole's *.inter and *.item"
                .into(),
        }),
        _ => Err(Error::Files {
            folder: folder.to_path_buf(),
            problem: "ratings in more than one form".into(),
            remedy: "keep one pair of files in the folder".into(),
        }),
    }
}

/// Whether the folder holds ratings and movies.
pub(crate) fn is_there(folder: &Path) -> bool {
    find(folder).is_ok()
}

/// The movies of the release.
#[derive(Default)]
struct Movies {
    keys: Interner,
    titles: Vec<String>,
    genres: Vec<Vec<u32>>,
    genre_names: Interner,
}

impl Movies {
    fn push(&mut self, records: &Records, key: &str, title: &str, genres: Vec<u32>) -> Result<()> {
        if let Some(known) = self.keys.number(key) {
            if self.genres[known as usize] == genres {
                return Ok(());
            }
            let problem = format!("movie {key:?} stands here with other genres than before");
            return Err(records.fail("", &problem, "keep one line for each movie"));
        }
        self.keys.intern(key);
        self.titles.push(title.into());
        self.genres.push(genres);
        Ok(())
    }
}

fn read_movies(release: Release, path: &Path) -> Result<(Movies, crate::FileRecord)> {
    let mut movies = Movies::default();
    let mut records = match release {
        Release::Csv | Release::RecBole => Records::open(path)?,
        Release::Dat => {
            Records::without_header(path, Separator::COLONS, &["movieId", "title", "genres"])?
        }
        Release::Flags => {
            let mut names = vec!["movieId", "title", "date", "video", "address"];
            names.extend(GENRES_100K);
            Records::without_header(path, Separator::BAR, &names)?
        }
    };
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| records.column(name).ok());
        found.map_or_else(|| records.column(names[0]), Ok)
    };
    let key = first(&["movieId", "item_id"])?;
    let title = first(&["title", "movie_title"])?;
    let genres = match release {
        Release::Flags => 5,
        _ => first(&["genres", "genre", "class"])?,
    };
    let between = if release == Release::RecBole { ' ' } else { '|' };
    while records.advance()? {
        let mut bag = Vec::new();
        if release == Release::Flags {
            for (flag, name) in GENRES_100K.iter().enumerate() {
                match records.value(genres + flag) {
                    "1" => bag.push(movies.genre_names.intern(name)),
                    "0" => {}
                    other => {
                        let problem = format!("{other:?} is neither 0 nor 1");
                        return Err(records.fail_in(genres + flag, &problem, "get the file again"));
                    }
                }
            }
        } else {
            let names = records.value(genres).split(between).map(str::trim);
            bag.extend(
                names.filter(|name| !name.is_empty()).map(|name| movies.genre_names.intern(name)),
            );
        }
        bag.sort_unstable();
        bag.dedup();
        let (key, title) = (records.filled(key)?, records.value(title));
        movies.push(&records, key, title, bag)?;
    }
    Ok((movies, records.finish()?))
}

/// Reads ratings and movies.
pub(crate) fn read(options: &PrepOptions) -> Result<SourceRows> {
    let (release, ratings, path) = find(&options.raw)?;
    let (movies, movies_record) = read_movies(release, &path)?;
    let mut rows = RawRows::new(ratings.clone());
    let movie_id = rows.vocabulary("movie_id");
    let genre = rows.vocabulary("genre");
    let mut movie_field = RawField::new("movie_id", movie_id, Cardinality::One);
    let mut genre_field = RawField::new("genres", genre, Cardinality::Many);

    let names = ["userId", "movieId", "rating", "timestamp"];
    let mut records = match release {
        Release::Csv | Release::RecBole => Records::open(&ratings)?,
        Release::Dat => Records::without_header(&ratings, Separator::COLONS, &names)?,
        Release::Flags => Records::without_header(&ratings, Separator::TAB, &names)?,
    };
    let column = |name: &str, recbole: &str| {
        records.column(if release == Release::RecBole { recbole } else { name })
    };
    let (user, movie) = (column("userId", "user_id")?, column("movieId", "item_id")?);
    let (rating, time) = (records.column("rating")?, records.column("timestamp")?);
    while records.advance()? {
        let value = records.decimal(rating)?;
        if !(0.0..=10.0).contains(&value) {
            let problem = format!("{value} is not a rating");
            return Err(records.fail_in(rating, &problem, "give ratings from 0.5 to 5"));
        }
        let moment = records.decimal(time)?;
        if moment < 0.0 || moment.fract() != 0.0 {
            let problem = format!("{moment} is not a time in seconds");
            return Err(records.fail_in(time, &problem, "give whole numbers from 0 up"));
        }
        let key = records.filled(movie)?;
        let Some(listed) = movies.keys.number(key) else {
            let problem = format!("movie {key:?} is not in {}", path.display());
            return Err(records.fail_in(movie, &problem, "add it there or remove its ratings"));
        };
        let number = rows.vocabularies[movie_id].texts.intern(key);
        if number as usize == rows.vocabularies[movie_id].titles.len() {
            rows.vocabularies[movie_id].titles.push(movies.titles[listed as usize].clone());
        }
        movie_field.column.ids.push(number);
        for &name in &movies.genres[listed as usize] {
            let number = rows.vocabularies[genre].texts.intern(movies.genre_names.text(name));
            genre_field.column.ids.push(number);
        }
        genre_field.column.offsets.push(genre_field.column.ids.len() as u32);
        let user = rows.user_keys.intern(records.filled(user)?);
        rows.users.push(user);
        rows.times.push(moment as u64);
        rows.labels.push(u8::from(value >= POSITIVE_FROM));
    }
    let history = options.history.unwrap_or(HistoryRule::Liked);
    rows.groups.push(RawGroup {
        name: "candidate".into(),
        role: Role::Candidate,
        fields: vec![movie_field, genre_field],
    });
    rows.histories = Histories::Rows {
        clicked_only: history == HistoryRule::Liked,
        fields: vec!["movie_id".into(), "genres".into()],
    };
    let count = |vocabulary: usize| rows.vocabularies[vocabulary].texts.len() as u64;
    Ok(SourceRows {
        id: None,
        counts: BTreeMap::from([
            ("goods".to_string(), count(movie_id)),
            ("categories".to_string(), count(genre)),
            ("items_listed".to_string(), movies.keys.len() as u64),
        ]),
        division: Division::Users { training: TRAINING_SHARE, validation: VALIDATION_SHARE },
        split_rule: "users".into(),
        choices: BTreeMap::from([
            ("label".to_string(), "rating >= 4".to_string()),
            ("history".to_string(), history.name().to_string()),
        ]),
        history_limit: options.limit(HISTORY_LIMIT),
        sources: vec![records.finish()?, movies_record],
        rows,
    })
}
