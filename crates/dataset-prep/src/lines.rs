//! Lines of a raw file, read and decompressed on a thread of their own, so that whoever parses them does
//! not wait for the next ones.

use crate::manifest::FileRecord;
use crate::source::{LINE_LIMIT, Source};
use crate::{Error, Place, Result};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Blocks that wait to be parsed at most. With the one being read and the one being parsed, a file takes
/// so many MiB of memory, however large it is.
const WAITING: usize = 2;

/// Calls `each` with every line, without its line break, in the order of the file. The error of an
/// earlier line comes before that of a later one, whichever thread found it.
pub(crate) fn for_each_line(
    path: &Path,
    mut each: impl FnMut(Place, &[u8]) -> Result<()>,
) -> Result<FileRecord> {
    std::thread::scope(|scope| {
        let (full, blocks) = sync_channel(WAITING);
        let (used, empty) = channel();
        let reader = scope.spawn(move || read(path, &full, &empty));
        let parsed = parse(path, &blocks, &used, &mut each);
        // Dropped before the join: a reader that waits to hand over a block must see that nobody will.
        drop(blocks);
        let record = match reader.join() {
            Ok(record) => record,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        parsed.and(record)
    })
}

/// The reader's side: blocks of whole lines, until the end, an error, or nobody listens.
fn read(path: &Path, full: &SyncSender<Vec<u8>>, empty: &Receiver<Vec<u8>>) -> Result<FileRecord> {
    let mut source = Source::open(path)?;
    // The part of a line that the block before ended with.
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.clear();
        block.append(&mut rest);
        let more = source.next_block(&mut block);
        let finished = !matches!(more, Ok(true));
        // At the end of the file the last line may lack its line break. After an error, what was read
        // of a line is no line.
        let end = match more {
            Ok(false) => block.len(),
            _ => memchr::memrchr(b'\n', &block).map_or(0, |position| position + 1),
        };
        rest.extend_from_slice(&block[end..]);
        block.truncate(end);
        if !block.is_empty() && full.send(block).is_err() {
            // The parser ended with an error and takes no notice of what is returned here.
            return Ok(FileRecord { name: String::new(), bytes: 0, sha256: String::new() });
        }
        if finished {
            more?;
            return source.finish();
        }
        if rest.len() as u64 > LINE_LIMIT {
            return Err(source.too_long());
        }
    }
}

/// The parser's side.
fn parse(
    path: &Path,
    blocks: &Receiver<Vec<u8>>,
    used: &Sender<Vec<u8>>,
    each: &mut impl FnMut(Place, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut number = 0;
    for block in blocks {
        let mut from = 0;
        while from < block.len() {
            let end = memchr::memchr(b'\n', &block[from..]).map_or(block.len(), |to| from + to + 1);
            let mut line = &block[from..end];
            from = end;
            number += 1;
            let place = Place::Line(number);
            if line.len() as u64 > LINE_LIMIT {
                return Err(too_long(path, place));
            }
            while let [start @ .., b'\n' | b'\r'] = line {
                line = start;
            }
            each(place, line)?;
        }
        // The reader may be done already and not need it.
        let _ = used.send(block);
    }
    Ok(())
}

/// The error of a line above [`LINE_LIMIT`].
pub(crate) fn too_long(path: &Path, place: Place) -> Error {
    Error::input(
        path,
        place,
        "",
        format!("longer than {LINE_LIMIT} bytes"),
        "one record a line is expected; check that this is the right file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(name: &str, bytes: &[u8]) -> (Vec<String>, Result<FileRecord>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut all = Vec::new();
        let record = for_each_line(&path, |place, line| {
            assert_eq!(place, Place::Line(all.len() as u64 + 1));
            all.push(String::from_utf8(line.to_vec()).unwrap());
            Ok(())
        });
        (all, record)
    }

    #[test]
    fn blocks_change_neither_lines_nor_numbers_nor_the_hash() {
        // Some blocks' worth of lines of many lengths, blank ones and a last one without line break.
        let text: Vec<String> =
            (0..40_000u32).map(|n| format!("{n}{}", "é".repeat(n as usize % 97))).collect();
        let text = format!("\n{}", text.join("\r\n"));
        let expected: Vec<&str> = text.split('\n').map(str::trim_end).collect();
        for (name, bytes) in [("x", text.as_bytes().to_vec()), ("x.gz", gzip(text.as_bytes()))] {
            let (found, record) = lines(name, &bytes);
            assert_eq!(found, expected);
            let record = record.unwrap();
            assert_eq!(record.bytes, bytes.len() as u64);
            assert_eq!(record.sha256, ctr_core::sha256_hex(&bytes));
        }
    }

    #[test]
    fn a_mark_at_the_start_is_no_part_of_the_first_line() {
        assert_eq!(lines("x", b"\xef\xbb\xbfa\nb\n").0, ["a", "b"]);
        assert_eq!(lines("x", b"\xef\xbb\xbf").0, [""; 0]);
        assert_eq!(lines("x", b"").0, [""; 0]);
    }

    #[test]
    fn the_lines_before_a_cut_are_delivered_and_then_the_place_is_named() {
        let packed = gzip("a line\n".repeat(500_000).as_bytes());
        let (found, record) = lines("x.gz", &packed[..packed.len() - 6]);
        assert_eq!(found.len(), 500_000);
        let message = record.unwrap_err().to_string();
        let expected = "x.gz, line 500001: the gzip data ends early (truncated), 500000 complete";
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn an_endless_line_is_refused_after_the_lines_before_it() {
        for end in ["", "\nb\n"] {
            let text = format!("a\n{}{end}", "[".repeat(3 << 20));
            let (found, record) = lines("x", text.as_bytes());
            assert_eq!(found, ["a"]);
            assert!(record.unwrap_err().to_string().contains("line 2: longer than"));
        }
    }

    #[test]
    fn an_error_of_the_parser_ends_the_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "line\n".repeat(2_000_000)).unwrap();
        let result = for_each_line(&path, |place, _| {
            Err(Error::input(Path::new("x"), place, "", "enough", "stop"))
        });
        assert_eq!(result.unwrap_err().to_string(), "x, line 1: enough; stop");
    }
}
