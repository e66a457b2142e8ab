//! A DICOMweb server. Credentials come from the environment, go nowhere but to it, and are never printed.

use std::io::Read;
use std::time::Duration;

use anyhow::Result;
use clip_lung_core::base::unicode::line;
use tempfile::TempDir;
use ureq::http::{HeaderValue, Response, header};
use ureq::{Agent, Body};

use super::multipart::{around, boundary, split};
use crate::failure::Failure;

/// The value of the header `Authorization`, e.g. `Bearer ...`.
const CREDENTIALS: &str = "CLIP_LUNG_DICOMWEB_AUTHORIZATION";
/// No server is waited for longer, and none makes us take more.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(120),
    body: Duration::from_secs(1800),
    series: 4 << 30,
};
/// Of what a server says when it refuses.
const MAX_WORDS: u64 = 200;

/// How long a server is waited for, and how much is taken of it.
#[derive(Clone, Copy)]
struct Limits {
    connect: Duration,
    /// Until it begins to answer: it may fetch the series from a slow archive.
    answer: Duration,
    /// For all of the answer.
    body: Duration,
    /// Bytes of a series: no CT is larger.
    series: u64,
}

/// A server at its base address.
pub struct Server {
    agent: Agent,
    limits: Limits,
    base: String,
    credentials: Option<HeaderValue>,
}

impl Server {
    /// The server at `url`, the part of its addresses before `/studies`.
    pub fn new(url: &str) -> Result<Self> {
        Self::within(url, LIMITS)
    }

    fn within(url: &str, limits: Limits) -> Result<Self> {
        let usage = |reason: &str| Failure::Usage(format!("--dicomweb: {reason}"));
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.and_then(|r| r.split('/').next()).filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| usage("give an address that starts with https:// or http://"))?;
        if host.contains('@') {
            // whoever lists the machine's processes would read them
            return Err(usage(&format!("put credentials into the variable {CREDENTIALS}, not into the address")).into());
        }
        let credentials = match std::env::var(CREDENTIALS) {
            Ok(value) => {
                let mut value = HeaderValue::from_str(&value).map_err(|_| {
                    Failure::Usage(format!("{CREDENTIALS}: not the value of a header; give e.g. `Bearer TOKEN`"))
                })?;
                value.set_sensitive(true);
                Some(value)
            }
            Err(_) => None,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.answer))
            .timeout_recv_body(Some(limits.body))
            .build();
        Ok(Self { agent: config.new_agent(), limits, base: url.trim_end_matches('/').into(), credentials })
    }

    /// The files of a series, in a folder that lasts as long as what is returned.
    pub fn series(&self, study: &str, series: &str) -> Result<TempDir> {
        let url = format!("{}/studies/{}/series/{}", self.base, uid("--study", study)?, uid("--series", series)?);
        let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
        let mut request = self.agent.get(&url).header(header::ACCEPT, accept);
        if let Some(value) = &self.credentials {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        let answer = answered(&url, request.call())?;
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let Some(boundary) = boundary(&kind) else {
            let message =
                format!("{url}: answers with `{kind}`, not multipart/related; is it a DICOMweb server's address?");
            return Err(Failure::File(message).into());
        };
        let failed = |reason: String| Failure::File(format!("{url}: the series can't be read ({reason})"));
        let dir = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
        let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        split(body, boundary, dir.path(), self.limits.series).map_err(|e| failed(e.to_string()))?;
        Ok(dir)
    }

    /// Stores a document in a study.
    pub fn store(&self, study: &str, document: &[u8]) -> Result<()> {
        let url = format!("{}/studies/{}", self.base, uid("--study", study)?);
        let (kind, body) = around(document, "clip-lung-report-6f1d2c");
        let mut request =
            self.agent.post(&url).header(header::CONTENT_TYPE, kind).header(header::ACCEPT, "application/dicom+json");
        if let Some(value) = &self.credentials {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        answered(&url, request.send(&body))?;
        Ok(())
    }
}

/// An answer that is none of an error.
fn answered(url: &str, result: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Failure> {
    let answer = result.map_err(|e| {
        Failure::File(format!("{url}: the server can't be reached ({e}); check the address, and that it is running"))
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let mut words = String::new();
    let _ = answer.into_body().into_reader().take(MAX_WORDS).read_to_string(&mut words);
    let hint = match status.as_u16() {
        401 | 403 => format!("give credentials in {CREDENTIALS}"),
        404 => "check the address, --study and --series".into(),
        _ => "see the server's log".into(),
    };
    Err(Failure::File(format!("{url}: the server answers {status} ({}); {hint}", line(&words).trim())))
}

/// A UID as part of an address.
fn uid<'a>(flag: &str, value: &'a str) -> Result<&'a str, Failure> {
    let fine = (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if fine { Ok(value) } else { Err(Failure::Usage(format!("{flag}: `{value}` is not a UID (digits and points)"))) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::{LIMITS, Limits, Server};

    const SHORT: Duration = Duration::from_millis(300);
    const QUICK: Limits = Limits { connect: SHORT, answer: SHORT, body: SHORT, series: 1 << 20 };
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n";

    /// What is said of a series, or of a report, to a server that sends `parts` and leaves the connection open.
    fn asked(parts: Vec<Vec<u8>>, limits: Limits, store: bool) -> (String, Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            for part in parts {
                let _ = stream.write_all(&part);
            }
            std::thread::sleep(Duration::from_secs(20));
        });
        let server = Server::within(&url, limits).unwrap();
        let start = Instant::now();
        let failed =
            if store { server.store("1.2", b"report").unwrap_err() } else { server.series("1.2", "1.3").unwrap_err() };
        (format!("{failed:#}"), start.elapsed())
    }

    #[test]
    fn a_server_that_never_answers() {
        for store in [false, true] {
            let (said, took) = asked(Vec::new(), QUICK, store);
            assert!(said.contains("timeout") && said.contains("127.0.0.1"), "{said}");
            assert!(took >= SHORT && took < Duration::from_secs(10), "{took:?}");
        }
    }

    #[test]
    fn a_server_that_stops_in_the_middle() {
        let begun = format!("{HEAD}Content-Length: 100000\r\n\r\n--b\r\n\r\nhalf a slice");
        let (said, took) = asked(vec![begun.into_bytes()], QUICK, false);
        assert!(said.contains("the series can't be read (timeout"), "{said}");
        assert!(took >= SHORT && took < Duration::from_secs(10), "{took:?}");
    }

    #[test]
    fn a_server_that_never_stops() {
        // without a length
        let begun = format!("{HEAD}\r\n--b\r\n\r\n").into_bytes();
        let (said, _) = asked(vec![begun, vec![7; 3 << 20]], Limits { series: 1 << 20, ..LIMITS }, false);
        assert!(said.contains("it is larger than 1 MB"), "{said}");
    }
}
