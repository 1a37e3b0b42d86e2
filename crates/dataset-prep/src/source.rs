//! Reading a raw file once: decompression, line numbers and the SHA-256 of the bytes on disk.

use crate::lines::too_long;
use crate::manifest::FileRecord;
use crate::{Error, Place, Result};
use ctr_core::Digest;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line taken, in bytes. Reviews and product records have some thousands; a longer line is no
/// data, and the parsers behind need a multiple of a line's size.
pub(crate) const LINE_LIMIT: u64 = 1 << 20;

/// Bytes read at a time: much more than a line has.
const BLOCK: u64 = 1 << 20;

/// The byte order mark that some programs put at the start of a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Counts and hashes what passes.
struct Tap {
    file: File,
    digest: Digest,
    bytes: u64,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// What is refused as a gzip bomb: so many bytes out of one. Reviews and logs unfold to 3 to 15 times their size,
/// zeros to a thousand times.
const MOST_UNFOLDED: u64 = 200;

/// Bytes from which on the proportion is looked at.
const UNFOLDED_FROM: u64 = 256 << 20;

/// Unpacked bytes, as long as they are in proportion.
struct Unfolded {
    decoder: MultiGzDecoder<BufReader<Tap>>,
    bytes: u64,
}

impl Unfolded {
    fn out_of_proportion(&self, from: u64) -> bool {
        self.bytes > from && self.bytes / MOST_UNFOLDED > self.decoder.get_ref().get_ref().bytes
    }
}

impl Read for Unfolded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.bytes += count as u64;
        if self.out_of_proportion(UNFOLDED_FROM) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(count)
    }
}

enum Decoder {
    Plain(BufReader<Tap>),
    Gzip(Box<BufReader<Unfolded>>),
}

/// A raw file being read; names ending in `.gz` are decompressed on the way.
pub(crate) struct Source {
    path: PathBuf,
    decoder: Decoder,
    /// Lines read so far.
    lines: u64,
    /// Whether a block was read already.
    begun: bool,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file =
            File::open(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        let tap = BufReader::with_capacity(1 << 18, Tap { file, digest: Digest::new(), bytes: 0 });
        let gzip = path.extension().is_some_and(|extension| extension == "gz");
        let decoder = if gzip {
            let unfolded = Unfolded { decoder: MultiGzDecoder::new(tap), bytes: 0 };
            Decoder::Gzip(Box::new(BufReader::with_capacity(1 << 18, unfolded)))
        } else {
            Decoder::Plain(tap)
        };
        Ok(Self { path: path.to_path_buf(), decoder, lines: 0, begun: false })
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match &mut self.decoder {
            Decoder::Plain(reader) => reader,
            Decoder::Gzip(reader) => reader,
        }
    }

    /// The next line without its line break, or false at the end of the file.
    pub(crate) fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        let read = self.reader().take(LINE_LIMIT + 1).read_until(b'\n', line);
        let count = read.map_err(|error| self.read_error(error, self.lines))?;
        if count == 0 {
            return Ok(false);
        }
        self.lines += 1;
        if count as u64 > LINE_LIMIT {
            return Err(too_long(&self.path, self.place()));
        }
        if self.lines == 1 && line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        Ok(true)
    }

    /// Appends the next bytes, about a block of them; false when the file has no more. What was read
    /// before an error is appended too.
    pub(crate) fn next_block(&mut self, block: &mut Vec<u8>) -> Result<bool> {
        let (start, first) = (block.len(), !std::mem::replace(&mut self.begun, true));
        block.reserve(BLOCK as usize);
        let read = self.reader().take(BLOCK).read_to_end(block);
        self.lines += memchr::memchr_iter(b'\n', &block[start..]).count() as u64;
        if first && block.starts_with(MARK) {
            block.drain(..MARK.len());
        }
        match read {
            Ok(count) => Ok(count as u64 == BLOCK),
            Err(error) => Err(self.read_error(error, self.lines)),
        }
    }

    /// The error of a line that [`Source::next_block`] found no end of.
    pub(crate) fn too_long(&self) -> Error {
        too_long(&self.path, Place::Line(self.lines + 1))
    }

    /// Place of the line read last.
    pub(crate) fn place(&self) -> Place {
        Place::Line(self.lines)
    }

    /// All that is left.
    pub(crate) fn read_all(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.reader().read_to_end(&mut bytes);
        read.map_err(|error| {
            self.read_error(error, bytes.iter().filter(|&&byte| byte == b'\n').count() as u64)
        })?;
        Ok(bytes)
    }

    /// Reads whatever is left and tells the file's size and hash.
    pub(crate) fn finish(mut self) -> Result<FileRecord> {
        let rest = io::copy(self.reader(), &mut io::sink());
        rest.map_err(|error| self.read_error(error, self.lines))?;
        let mut tap = match self.decoder {
            Decoder::Plain(reader) => reader.into_inner(),
            Decoder::Gzip(reader) => reader.into_inner().decoder.into_inner().into_inner(),
        };
        io::copy(&mut tap, &mut io::sink())
            .map_err(|source| Error::Read { path: self.path.clone(), source })?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(FileRecord { name, bytes: tap.bytes, sha256: tap.digest.finish() })
    }

    fn read_error(&self, error: io::Error, complete_lines: u64) -> Error {
        let gzip = matches!(self.decoder, Decoder::Gzip(_));
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof if gzip => "the gzip data ends early (truncated)",
            io::ErrorKind::FileTooLarge if gzip => {
                "the gzip data unfolds to more than 200 times its size (a gzip bomb?)"
            }
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput if gzip => {
                "the gzip data is damaged"
            }
            _ => return Error::Read { path: self.path.clone(), source: error },
        };
        Error::input(
            &self.path,
            Place::Line(complete_lines + 1),
            "",
            format!("{problem}, {complete_lines} complete lines were read"),
            "get the file again and compare its size and checksum with the source's",
        )
    }
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

    fn lines(source: &mut Source) -> Result<Vec<String>> {
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while source.next_line(&mut line)? {
            all.push(String::from_utf8(line.clone()).unwrap());
        }
        Ok(all)
    }

    #[test]
    fn plain_and_gzip_give_the_same_lines_and_the_hash_of_the_bytes_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        // Two gzip members one after the other are one file, as gzip itself reads them.
        let packed = [gzip(b"a\r\nb\n"), gzip(b"c")].concat();
        for (name, bytes) in [("x.tsv", b"a\r\nb\nc".to_vec()), ("x.tsv.gz", packed)] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let mut source = Source::open(&path).unwrap();
            assert_eq!(lines(&mut source).unwrap(), ["a", "b", "c"]);
            assert_eq!(source.place(), Place::Line(3));
            let record = source.finish().unwrap();
            assert_eq!(record.name, name);
            assert_eq!(record.bytes, bytes.len() as u64);
            assert_eq!(record.sha256, ctr_core::sha256_hex(&bytes));
        }
    }

    #[test]
    fn a_truncated_gzip_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tsv.gz");
        let packed = gzip(b"a\nb\n");
        std::fs::write(&path, &packed[..packed.len() - 6]).unwrap();
        let message = lines(&mut Source::open(&path).unwrap()).unwrap_err().to_string();
        assert!(message.contains("x.tsv.gz, line 3: the gzip data ends early"), "{message}");
        let message = Source::open(&path).unwrap().read_all().unwrap_err().to_string();
        assert!(message.contains("x.tsv.gz, line 3: the gzip data ends early"), "{message}");
    }

    #[test]
    fn a_gz_name_without_gzip_inside_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tsv.gz");
        std::fs::write(&path, "user\titem\torder\nand so on").unwrap();
        let message = Source::open(&path).unwrap().read_all().unwrap_err().to_string();
        assert!(message.contains("damaged"), "{message}");
    }

    #[test]
    fn an_endless_line_is_refused_before_it_fills_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json.gz");
        std::fs::write(&path, gzip(&vec![b'['; 3 << 20])).unwrap();
        let message = lines(&mut Source::open(&path).unwrap()).unwrap_err().to_string();
        assert!(message.contains("line 1: longer than"), "{message}");
    }

    #[test]
    fn a_gzip_bomb_is_refused_before_it_fills_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tsv.gz");
        let file = File::create(&path).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, Default::default());
        let block = b"u1\ta\t1\n".repeat(1 << 17);
        for _ in 0..300 {
            encoder.write_all(&block).unwrap();
        }
        encoder.finish().unwrap();
        let mut source = Source::open(&path).unwrap();
        let (mut block, mut bytes) = (Vec::new(), 0);
        let message = loop {
            block.clear();
            match source.next_block(&mut block) {
                Ok(more) => assert!(more, "all of it came"),
                Err(error) => break error.to_string(),
            }
            bytes += block.len() as u64;
        };
        assert!(bytes <= UNFOLDED_FROM + BLOCK, "{bytes}");
        assert!(message.contains("x.tsv.gz") && message.contains("gzip bomb"), "{message}");
    }
}
