//! A web server on loopback that behaves, or misbehaves, as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// First byte of the range asked for.
    pub range: Option<usize>,
}

/// What to answer.
pub struct Reply {
    status: &'static str,
    header: String,
    claimed: usize,
    body: Vec<u8>,
    hold: bool,
}

impl Reply {
    /// Everything, whatever range was asked for.
    pub fn whole(body: &[u8]) -> Self {
        let header = String::new();
        Self { status: "200 OK", header, claimed: body.len(), body: body.to_vec(), hold: false }
    }

    /// An error.
    pub fn error(status: &'static str) -> Self {
        Self { status, ..Self::whole(b"<html>sorry</html>") }
    }

    /// What was asked for, as an honest server with ranges does it.
    pub fn honest(request: &Request, body: &[u8]) -> Self {
        match request.range {
            None => Self::whole(body),
            Some(begin) if begin >= body.len() => Self {
                header: format!("Content-Range: bytes */{}\r\n", body.len()),
                ..Self::error("416 Range Not Satisfiable")
            },
            Some(begin) => Self {
                status: "206 Partial Content",
                header: format!(
                    "Content-Range: bytes {begin}-{}/{}\r\n",
                    body.len() - 1,
                    body.len()
                ),
                ..Self::whole(&body[begin..])
            },
        }
    }

    /// Only the first bytes come, then the connection breaks.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    /// Another length is announced than comes.
    pub fn claiming(mut self, bytes: usize) -> Self {
        self.claimed = bytes;
        self
    }

    /// Instead of breaking, the connection stays open until the client goes.
    pub fn held(mut self) -> Self {
        self.hold = true;
        self
    }
}

/// The server; its threads end with the test's process.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `answer`, which also gets its number, counted from 0.
    pub fn new(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // A client that goes away is part of some tests.
                    let _ = serve(stream.unwrap(), &seen, &*answer);
                });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The first bytes of the ranges asked for.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.requests().iter().map(|request| request.range).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request, usize) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut range = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(bytes) = line.strip_prefix("range: bytes=") {
            range = bytes.trim_end_matches('-').parse().ok();
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    let request = Request { path, range };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let reply = answer(&request, number);
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
        reply.status, reply.claimed, reply.header
    )?;
    stream.write_all(&reply.body)?;
    if reply.hold {
        reader.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}
