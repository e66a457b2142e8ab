//! A DICOMweb server. Credentials come from the environment, go nowhere but to it, and are never printed.

use std::io::Read;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use ureq::http::{HeaderValue, Response, header};
use ureq::{Agent, Body};

use super::multipart::{around, boundary, split};
use crate::failure::Failure;

/// The value of the header `Authorization`, e.g. `Bearer ...`.
const CREDENTIALS: &str = "CLIP_LUNG_DICOMWEB_AUTHORIZATION";
const CONNECT: Duration = Duration::from_secs(10);
/// Until a server begins to answer: it may fetch the series from a slow archive.
const ANSWER: Duration = Duration::from_secs(120);
/// For all of the answer.
const BODY: Duration = Duration::from_secs(1800);
/// No CT series is larger: 4 GB.
const MAX_SERIES: u64 = 4 << 30;
/// Of what a server says when it refuses.
const MAX_WORDS: u64 = 200;

/// A server at its base address.
pub struct Server {
    agent: Agent,
    base: String,
    credentials: Option<HeaderValue>,
}

impl Server {
    /// The server at `url`, the part of its addresses before `/studies`.
    pub fn new(url: &str) -> Result<Self> {
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
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(BODY))
            .build();
        Ok(Self { agent: config.new_agent(), base: url.trim_end_matches('/').into(), credentials })
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
        split(body, boundary, dir.path(), MAX_SERIES).map_err(|e| failed(e.to_string()))?;
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
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let hint = match status.as_u16() {
        401 | 403 => format!("give credentials in {CREDENTIALS}"),
        404 => "check the address, --study and --series".into(),
        _ => "see the server's log".into(),
    };
    Err(Failure::File(format!("{url}: the server answers {status} ({}); {hint}", words.trim())))
}

/// A UID as part of an address.
fn uid<'a>(flag: &str, value: &'a str) -> Result<&'a str, Failure> {
    let fine = (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if fine { Ok(value) } else { Err(Failure::Usage(format!("{flag}: `{value}` is not a UID (digits and points)"))) }
}
